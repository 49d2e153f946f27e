// Linear layers on block-quantized weights, with integer dot products: y = x·Wᵀ + b.
//
// The rows of x are rounded to 8 bits, in blocks of 32 with a scale each; the products of a group of weights that share
// a scale are summed as integers, which is exact, and then scaled and accumulated in float32.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "quantization.h"

/// The instruction sets with kernels of their own, best last.
enum nabla_quantized_isa {
  NABLA_QUANTIZED_BEST = 0,  // the best that nabla_isa_in_use allows
  NABLA_QUANTIZED_BASELINE = 1,
  NABLA_QUANTIZED_AVX2 = 2,
  NABLA_QUANTIZED_VNNI = 3,  // AVX-512 with VNNI
};

/// Rows of x in 8 bits. Element k of row r is about scales[r · columns/32 + k/32] · q[r · columns + k].
struct nabla_quantized_rows {
  int64_t rows, columns;  // columns: a multiple of 32
  int8_t *q;              // [rows, columns], in -127...127
  float *scales;          // [rows, columns/32]
  float *sums16;          // [rows, columns/16]: minus the sum of 16 elements, as rounded
  float *sums32;          // [rows, columns/32]: minus the sum of 32 elements
};

/// The total bytes of the arrays of `nabla_quantized_rows`, and the struct with its arrays placed in that memory.
int64_t nabla_quantized_rows_bytes(int64_t rows, int64_t columns);
struct nabla_quantized_rows nabla_quantized_rows_in(void *memory, int64_t rows, int64_t columns);

/// Rounds rows [begin, end) of x to 8 bits, to the nearest. x: [rows, columns] float32, or bfloat16.
void nabla_quantize_rows(const float *x, int64_t begin, int64_t end, struct nabla_quantized_rows to);
void nabla_quantize_rows_bfloat16(const uint16_t *x, int64_t begin, int64_t end, struct nabla_quantized_rows to);

/// One weight matrix [rows, columns], blocks row by row.
struct nabla_quantized_weight {
  const void *blocks;
  int64_t rows;
  enum nabla_block_type type;
  const float *bias;  // [rows], or NULL
  int64_t column;     // of y, where this weight's outputs begin
};

/// y[:, column + j] = x·Wⱼ + bⱼ for each weight, plus the addend if there is one: it has y's layout, and may be y. Rows
/// of both are `stride` apart. Splits the work among threads; the bits do not depend on how many.
void nabla_quantized_linear(struct nabla_quantized_rows x, const struct nabla_quantized_weight *weights, int64_t count,
                            float *y, const float *addend, int64_t stride, enum nabla_quantized_isa isa,
                            int32_t threadCount);

/// The best instruction set that both this CPU and these kernels support.
enum nabla_quantized_isa nabla_quantized_best_isa(void);
