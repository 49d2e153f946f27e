"""rotary.safetensors: rotary position embedding.

half (pairs (i, i + D/2), as Llama) and interleaved (pairs (2i, 2i + 1), as GPT-J), base 10000: `input` [2, 3, 5, 8]
(B, H, T, D), `positions` [5] int32, `output`, `output_gradient`, `input_gradient`. half_offset and
interleaved_offset start at position 1000 (an angle of 1000 rad in float32 is good to about 6e-5).

scaling.KIND has `inverse_frequencies` [D/2] and `attention_factor` [] (by which cos and sin are multiplied), from
transformers' ROPE_INIT_FUNCTIONS (float32 arithmetic):
  default  base 10000, D 64
  linear   base 10000, D 64, factor 4
  dynamic  base 10000, D 64, factor 2, max_position_embeddings 2048, at sequence length 8192
  yarn     base 10000, D 64, factor 4, original_max_position_embeddings 2048, beta_fast 32, beta_slow 1
  yarn-ramp     the same with beta_fast 24, beta_slow 0.7 and truncate false
  yarn-mscale   the same as yarn with mscale 0.707 and mscale_all_dim 1.2
  yarn-attention  the same as yarn with attention_factor 1.3, which counts before mscale 0.707 and mscale_all_dim 1.2
  longrope-short, longrope-long  base 10000, D 8, original_max_position_embeddings 2048, max_position_embeddings 8192,
           short_factor 1, 1.1, 1.2, 1.3, long_factor 1, 2, 4, 8.5, at sequence lengths 2048 and 2049
  llama3   base 500000, D 128, factor 8, low_freq_factor 1, high_freq_factor 4,
           original_max_position_embeddings 8192
"""

import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as apply_interleaved
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as apply_half
from fixture import Fixture

fixture = Fixture("rotary.safetensors", seed=4)
B, H, T, D = 2, 3, 5, 8
frequencies = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)


def half(input, positions):
    angles = positions.double()[:, None] * frequencies
    angles = torch.cat([angles, angles], -1)[None]
    return apply_half(input, input, angles.cos(), angles.sin())[0]


def interleaved(input, positions):
    angles = (positions.double()[:, None] * frequencies)[None]
    # GPT-J's layout is [B, T, H, D].
    return apply_interleaved(input.transpose(1, 2), angles.sin(), angles.cos()).transpose(1, 2)


for case, function in {"half": half, "interleaved": interleaved}.items():
    for suffix, start in {"": 0, "_offset": 1000}.items():
        fixture.record(case + suffix, function, input=fixture.normal(B, H, T, D), positions=torch.arange(T) + start)


LONGROPE = dict(
    original_max_position_embeddings=2048, short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.0, 2.0, 4.0, 8.5])


def configuration(base, head, context, **parameters):
    return LlamaConfig(
        hidden_size=head * 4, num_attention_heads=4, max_position_embeddings=context,
        rope_parameters={"rope_theta": float(base), **parameters})


for kind, config, length in [
    ("default", configuration(10000, 64, 2048, rope_type="default"), None),
    ("linear", configuration(10000, 64, 8192, rope_type="linear", factor=4.0), None),
    ("dynamic", configuration(10000, 64, 2048, rope_type="dynamic", factor=2.0), 8192),
    ("yarn", configuration(
        10000, 64, 8192, rope_type="yarn", factor=4.0, original_max_position_embeddings=2048), None),
    ("yarn-ramp", configuration(
        10000, 64, 8192, rope_type="yarn", factor=4.0, original_max_position_embeddings=2048, beta_fast=24.0,
        beta_slow=0.7, truncate=False), None),
    ("yarn-mscale", configuration(
        10000, 64, 8192, rope_type="yarn", factor=4.0, original_max_position_embeddings=2048, mscale=0.707,
        mscale_all_dim=1.2), None),
    ("yarn-attention", configuration(
        10000, 64, 8192, rope_type="yarn", factor=4.0, original_max_position_embeddings=2048, attention_factor=1.3,
        mscale=0.707, mscale_all_dim=1.2), None),
    ("longrope-short", configuration(10000, 8, 8192, rope_type="longrope", **LONGROPE), 2048),
    ("longrope-long", configuration(10000, 8, 8192, rope_type="longrope", **LONGROPE), 2049),
    ("llama3", configuration(
        500000, 128, 131072, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=8192), None),
]:
    function = kind.split("-")[0]
    if kind == "default":
        inverse, factor = LlamaRotaryEmbedding.compute_default_rope_parameters(config)
    else:
        inverse, factor = ROPE_INIT_FUNCTIONS[function](config, device="cpu", seq_len=length)
    fixture.add(f"scaling.{kind}", inverse_frequencies=inverse, attention_factor=float(factor))
fixture.save()
