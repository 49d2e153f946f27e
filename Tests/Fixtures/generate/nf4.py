"""nf4.safetensors: what bitsandbytes makes of a weight with `bnb_4bit_use_double_quant`, on the CPU.

`weight` [96, 192] float32; `packed` [9216] uint8; of its 288 blocks the `codes` [288] uint8 of their scales, the scales
of those `groups` [2], `offset` [] and the code table `map` [256]; `dequantized` [96, 192].
"""

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from fixture import Fixture

fixture = Fixture("nf4.safetensors", seed=4)
weight = fixture.normal(96, 192, scale=0.05).float()
weight[3, 64:128] = 0  # a block of zeros
weight[5, 70] = 3  # a block with an outlier
packed, state = quantize_4bit(weight, blocksize=64, compress_statistics=True, quant_type="nf4")
assert state.nested and state.blocksize == 64 and state.state2.blocksize == 256
fixture.tensors |= {
    "weight": weight, "packed": packed.flatten(), "codes": state.absmax, "groups": state.state2.absmax,
    "offset": state.offset.clone(), "map": state.state2.code.clone(), "dequantized": dequantize_4bit(packed, state)}
fixture.save()
