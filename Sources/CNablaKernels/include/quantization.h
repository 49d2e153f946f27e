#pragma once
#include <stdint.h>

/// Block-quantized formats, with ggml's type numbers (those of a GGUF file).
enum nabla_block_type {
  NABLA_Q4_0 = 2,
  NABLA_Q4_1 = 3,
  NABLA_Q5_0 = 6,
  NABLA_Q5_1 = 7,
  NABLA_Q8_0 = 8,
  NABLA_Q2_K = 10,
  NABLA_Q3_K = 11,
  NABLA_Q4_K = 12,
  NABLA_Q5_K = 13,
  NABLA_Q6_K = 14,
};

/// The number of weights per block, and its bytes.
int64_t nabla_block_size(enum nabla_block_type type);
int64_t nabla_block_bytes(enum nabla_block_type type);

/// y = the dequantized values of `count` blocks, with the rounding of ggml's reference: the same bits.
void nabla_dequantize(enum nabla_block_type type, int64_t count, const void *x, float *y);

/// y = x quantized to blocks. Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 round as ggml's reference does; Q4_K and Q6_K search for
/// the scales that give the least weighted squared error. Read-only types (Q2_K, Q3_K, Q5_K) return 0.
int32_t nabla_quantize(enum nabla_block_type type, int64_t count, const float *x, void *y);
