"""formats/all-types.gguf: every metadata type and the tensor types of the gguf package's quantizers.

formats/all-types.safetensors: the same tensors as that package decodes them, float32.
"""

import gguf
import numpy as np
from safetensors.numpy import save_file
from fixture import FOLDER

writer = gguf.GGUFWriter(FOLDER / "formats" / "all-types.gguf", "llama")
writer.add_uint8("test.uint8", 255)
writer.add_int8("test.int8", -128)
writer.add_uint16("test.uint16", 65535)
writer.add_int16("test.int16", -32768)
writer.add_uint32("test.uint32", 2**32 - 1)
writer.add_int32("test.int32", -(2**31))
writer.add_uint64("test.uint64", 2**64 - 1)
writer.add_int64("test.int64", -(2**63))
writer.add_float32("test.float32", 0.15625)
writer.add_float64("test.float64", 1e-300)
writer.add_bool("test.bool", True)
writer.add_string("test.string", "naïve 名前 ∇")
writer.add_array("test.strings", ["a", "", "Ġthe", "é"])
writer.add_array("test.integers", [1, -2, 3])
writer.add_array("test.floats", [0.5, -1.25])
writer.add_array("test.bools", [True, False, True])

random = np.random.default_rng(1)
values = random.standard_normal((3, 256)).astype(np.float32)
decoded = {}
for kind in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
    quantization = gguf.GGMLQuantizationType[kind]
    # Rows of 64: two blocks.
    data = gguf.quants.quantize(values[:, :64].copy(), quantization)
    writer.add_tensor(kind, data, raw_dtype=quantization)
    decoded[kind] = gguf.quants.dequantize(data, quantization)
writer.add_tensor("vector", np.arange(5, dtype=np.float32) / 4)
decoded["vector"] = np.arange(5, dtype=np.float32) / 4
# The package decodes K-quants but does not make them: random bits, with scales that are ordinary numbers.
for kind, scales in (("Q2_K", (80, 82)), ("Q3_K", (108,)), ("Q4_K", (0, 2)), ("Q5_K", (0, 2)), ("Q6_K", (208,))):
    quantization = gguf.GGMLQuantizationType[kind]
    size = gguf.GGML_QUANT_SIZES[quantization][1]
    blocks = random.integers(0, 256, (2, size), dtype=np.uint8)
    for row in blocks:
        for at in scales:
            row[at : at + 2] = np.frombuffer(np.float16(random.uniform(0.01, 0.1)).tobytes(), np.uint8)
    writer.add_tensor(kind, blocks, raw_dtype=quantization)
    decoded[kind] = gguf.quants.dequantize(blocks, quantization)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file(decoded, FOLDER / "formats" / "all-types.safetensors")
size = (FOLDER / "formats" / "all-types.gguf").stat().st_size
print(f"formats/all-types.gguf: {size:,} bytes, {len(decoded)} tensors")
