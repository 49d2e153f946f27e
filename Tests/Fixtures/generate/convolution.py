"""convolution.safetensors: convolution, transposed convolution, pooling and upsampling, forward and backward.

Each CASE has `input` (B, C, L) or (B, C, H, W), `output`, `output_gradient`, `input_gradient`.
Convolutions add `weight`, `bias` (not *_nobias) and their gradients, and
`options` int32 [stride, padding, dilation, groups, output_padding]; the same in both axes.
  Weights are [Cout, Cin/groups, ...] (conv) and [Cin, Cout/groups, ...] (conv_transpose), as in torch.
Pooling adds `options` [kernel, stride, padding]; padding counts in the mean and never wins the maximum.
upsample_* adds `options` [scale], nearest neighbour.
"""

import torch.nn.functional as F
from fixture import Fixture

fixture = Fixture("convolution.safetensors", seed=5)
normal = fixture.normal

# name: (function, input, weight, has bias, stride, padding, dilation, groups, output padding)
cases = {
    "conv1d": (F.conv1d, (2, 3, 11), (4, 3, 3), True, 1, 1, 1, 1, 0),
    "conv1d_stride": (F.conv1d, (2, 4, 12), (6, 4, 4), True, 2, 1, 1, 1, 0),
    "conv1d_dilation": (F.conv1d, (2, 3, 13), (4, 3, 3), True, 1, 2, 2, 1, 0),
    "conv1d_groups_nobias": (F.conv1d, (2, 6, 9), (4, 3, 3), False, 1, 0, 1, 2, 0),
    "conv1d_depthwise": (F.conv1d, (2, 5, 9), (5, 1, 3), True, 1, 1, 1, 5, 0),
    "conv2d": (F.conv2d, (2, 3, 7, 6), (4, 3, 3, 3), True, 1, 1, 1, 1, 0),
    "conv2d_1x1": (F.conv2d, (2, 5, 4, 3), (7, 5, 1, 1), True, 1, 0, 1, 1, 0),
    "conv2d_stride": (F.conv2d, (2, 3, 8, 7), (4, 3, 3, 3), True, 2, 1, 1, 1, 0),
    "conv2d_dilation": (F.conv2d, (1, 2, 9, 8), (3, 2, 3, 3), True, 1, 2, 2, 1, 0),
    "conv2d_groups_nobias": (F.conv2d, (2, 6, 5, 5), (4, 3, 3, 3), False, 2, 1, 1, 2, 0),
    "conv2d_depthwise": (F.conv2d, (2, 4, 6, 5), (4, 1, 3, 3), True, 1, 1, 1, 4, 0),
    "conv_transpose1d": (F.conv_transpose1d, (2, 4, 6), (4, 3, 4), True, 2, 1, 1, 1, 0),
    "conv_transpose1d_groups": (F.conv_transpose1d, (2, 4, 6), (4, 2, 3), True, 2, 1, 1, 2, 1),
    "conv_transpose2d": (F.conv_transpose2d, (2, 4, 4, 3), (4, 3, 4, 4), True, 2, 1, 1, 1, 0),
    "conv_transpose2d_groups_nobias": (F.conv_transpose2d, (2, 4, 4, 3), (4, 2, 3, 3), False, 2, 1, 1, 2, 1),
}
for case, (function, shape, weight, has_bias, stride, padding, dilation, groups, extra) in cases.items():
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    outputs = weight[0]
    if "transpose" in case:
        options["output_padding"] = extra
        outputs = weight[1] * groups
    fixture.record(
        case, lambda input, weight, bias: function(input, weight, bias, **options),
        input=normal(*shape), weight=normal(*weight, scale=0.5), bias=normal(outputs) if has_bias else None)
    fixture.add(case, options=[stride, padding, dilation, groups, extra])

for case, function, shape, options in [
    ("max_pool1d", F.max_pool1d, (2, 3, 10), (2, 2, 0)),
    ("max_pool2d", F.max_pool2d, (2, 3, 6, 8), (2, 2, 0)),
    ("max_pool2d_padding", F.max_pool2d, (2, 3, 7, 5), (3, 2, 1)),
    ("avg_pool1d", F.avg_pool1d, (2, 3, 10), (2, 2, 0)),
    ("avg_pool2d", F.avg_pool2d, (2, 3, 6, 8), (2, 2, 0)),
    ("avg_pool2d_padding", F.avg_pool2d, (2, 3, 7, 5), (3, 2, 1)),
]:
    fixture.record(case, lambda input: function(input, *options), input=normal(*shape))
    fixture.add(case, options=list(options))

for case, shape, scale in [("upsample_1d", (2, 3, 5), 2), ("upsample_2d", (2, 3, 3, 4), 2), ("upsample_2d_by3", (1, 2, 3, 2), 3)]:
    fixture.record(case, lambda input: F.interpolate(input, scale_factor=scale, mode="nearest"), input=normal(*shape))
    fixture.add(case, options=[scale])
fixture.save()
