"""quantization.safetensors: ggml's block formats.

  TYPE.blocks     uint8 [blocks, bytes]: random bits, with scales from the ordinary to the subnormal and the largest
  TYPE.values     float32 [blocks, numbers]: what pip's gguf makes of them
  input           float32 [rows, 256]: normal numbers of many sizes, and rows that are all zero, constant, one-sided, or
                  full of ties
  TYPE.quantized  uint8 [rows, bytes]: `input` in blocks, by pip's gguf for the types of 32 numbers and by llama.cpp
                  (the libggml of pip's llama-cpp-python) for q4_K and q6_K, which gguf does not make
"""

import ctypes
from pathlib import Path

import llama_cpp
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

from fixture import FOLDER

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where the float16 scales of a block stand.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
random = np.random.default_rng(7)
tensors = {}


def scales(count):
    """Ordinary scales, then extreme ones: zeros, the smallest subnormal, the largest number, and their negatives."""
    ordinary = (random.standard_normal(count) * 10.0 ** random.integers(-5, 3, count)).astype(np.float16)
    extreme = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff], np.uint16).view(np.float16)
    ordinary[: len(extreme)] = random.permutation(extreme)[:count]
    return ordinary


for name in TYPES:
    kind = GGMLQuantizationType[name]
    size, width = GGML_QUANT_SIZES[kind]
    count = 32 if size == 32 else 12
    blocks = random.integers(0, 256, (count, width), dtype=np.uint8)
    for place in SCALES[name]:
        blocks[:, place : place + 2] = scales(count).view(np.uint8).reshape(count, 2)
    values = dequantize(blocks, kind)
    assert np.isfinite(values).all()
    tensors[f"{name}.blocks"] = blocks
    tensors[f"{name}.values"] = values

rows = [random.standard_normal(256) * scale for scale in (1e-6, 0.02, 0.02, 1, 1, 300)]
rows.append(random.standard_t(2, 256))  # outliers
rows.append(np.zeros(256))
rows.append(np.full(256, 0.37))
rows.append(-np.abs(random.standard_normal(256)))
rows.append(np.abs(random.standard_normal(256)) + 3)
rows.append(random.integers(-16, 17, 256) / 2)  # ties
source = np.stack(rows).astype(np.float32)
tensors["input"] = source
for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
    tensors[f"{name}.quantized"] = quantize(source, GGMLQuantizationType[name])

ggml = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
for name in ["Q4_K", "Q6_K"]:
    kind = GGMLQuantizationType[name]
    target = np.zeros((len(rows), GGML_QUANT_SIZES[kind][1]), np.uint8)
    ggml.ggml_quantize_chunk(int(kind), source.ctypes.data, target.ctypes.data, 0, len(rows), 256, None)
    tensors[f"{name}.quantized"] = target

path = FOLDER / "quantization.safetensors"
save_file({key.replace("Q", "q", 1): value for key, value in sorted(tensors.items())}, path)
print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")
