"""norms.safetensors: normalisation layers forward and backward.

Each CASE has `input`, `weight`, `bias` (not rms), `output`, `output_gradient`, and `NAME_gradient` of each input.
  layer          LayerNorm over the last axis, input [3, 5, 16], eps 1e-5
  layer_offset   the same with inputs near 100, where a one-pass variance in float32 loses its digits
  rms            RMSNorm over the last axis, input [3, 5, 16], eps 1e-6
  rms_odd        input [7, 13], eps 1e-5
  group          GroupNorm, input [2, 8, 5] (B, C, L), `options` = [groups] = [4], eps 1e-5
  group_2d       GroupNorm, input [2, 6, 3, 5] (B, C, H, W), groups 3
  group_instance GroupNorm, input [2, 4, 3, 3], groups 4 (one channel a group)
"""

import torch.nn.functional as F
from fixture import Fixture

fixture = Fixture("norms.safetensors", seed=1)
normal = fixture.normal


def affine(channels):
    return {"weight": 1 + normal(channels, scale=0.25), "bias": normal(channels, scale=0.25)}


def layer(input, weight, bias):
    return F.layer_norm(input, input.shape[-1:], weight, bias, eps=1e-5)


fixture.record("layer", layer, input=normal(3, 5, 16), **affine(16))
fixture.record("layer_offset", layer, input=(normal(3, 5, 16) + 100).float().double(), **affine(16))
for case, shape, eps in [("rms", (3, 5, 16), 1e-6), ("rms_odd", (7, 13), 1e-5)]:
    fixture.record(
        case, lambda input, weight: F.rms_norm(input, input.shape[-1:], weight, eps=eps),
        input=normal(*shape), weight=affine(shape[-1])["weight"])
for case, shape, groups in [
    ("group", (2, 8, 5), 4), ("group_2d", (2, 6, 3, 5), 3), ("group_instance", (2, 4, 3, 3), 4)
]:
    fixture.record(
        case, lambda input, weight, bias: F.group_norm(input, groups, weight, bias, eps=1e-5),
        input=normal(*shape), **affine(shape[1]))
    fixture.add(case, options=[groups])
fixture.save()
