"""synthetic_gguf.py FILE: a Llama of 1.5 billion random weights in Q4_K, with SmolLM2's tokenizer from the file next to
it: for measuring speed, which does not depend on the values of the weights."""

import sys
from pathlib import Path

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

TOKENIZER = "SmolLM2-135M-Instruct.Q4_1.gguf"
WIDTH, HIDDEN, LAYERS, HEADS, KEY_VALUE_HEADS, VOCABULARY = 1536, 8960, 30, 12, 2, 49152
HEAD = WIDTH // HEADS


def blocks(random, rows, columns):
    """Q4_K: per 256 numbers two float16 scales, 12 bytes of packed scales and 128 of 4-bit numbers."""
    data = random.integers(0, 256, (rows, columns // 256, 144), dtype=numpy.uint8)
    # Numbers between about -0.03 and 0.03: 0 <= q < 16 with scales and minimums below 64.
    data[:, :, 0:2] = numpy.array([6e-5], numpy.float16).view(numpy.uint8)
    data[:, :, 2:4] = numpy.array([4.5e-4], numpy.float16).view(numpy.uint8)
    return data.reshape(rows, -1)


def write(file):
    random = numpy.random.default_rng(1)
    part = file.with_suffix(".part")
    writer = GGUFWriter(part, "llama")
    writer.add_name("synthetic 1.5B")
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000)
    writer.add_rope_dimension_count(HEAD)
    for name, field in GGUFReader(file.parent / TOKENIZER).fields.items():
        if name.startswith("tokenizer."):
            kind = field.types[0]
            writer.add_key_value(
                name, field.contents(), kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
    shapes = {"token_embd": (VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_q": (WIDTH, WIDTH), f"blk.{layer}.attn_k": (KEY_VALUE_HEADS * HEAD, WIDTH),
            f"blk.{layer}.attn_v": (KEY_VALUE_HEADS * HEAD, WIDTH), f"blk.{layer}.attn_output": (WIDTH, WIDTH),
            f"blk.{layer}.ffn_gate": (HIDDEN, WIDTH), f"blk.{layer}.ffn_up": (HIDDEN, WIDTH),
            f"blk.{layer}.ffn_down": (WIDTH, HIDDEN)}
    for name in ["output_norm"] + [f"blk.{layer}.{n}" for layer in range(LAYERS) for n in ("attn_norm", "ffn_norm")]:
        writer.add_tensor(f"{name}.weight", numpy.ones(WIDTH, numpy.float32))
    for name, (rows, columns) in shapes.items():
        writer.add_tensor(f"{name}.weight", blocks(random, rows, columns), raw_dtype=GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.rename(file)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
