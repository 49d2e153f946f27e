#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "nf4.h"

/// The storage type of a weight: a `nabla_block_type`, or one of these.
enum nabla_storage_type { NABLA_STORED_FLOAT16 = 1, NABLA_STORED_BFLOAT16 = 30, NABLA_STORED_NF4 = 1000 };

/// Linear layers in float32 for few rows: outputs [begin, end) of y = x·Wᵀ + bias, or y +=. Each row of W is
/// dequantized once, in the L1 cache, and multiplied with all rows of x. W: [outputs, columns], `rowBytes` apart; x:
/// [rows, columns]; y: [rows, ...], rows `stride` apart; bias: [outputs] or NULL. scales: those of the blocks of W, the
/// first of W first, if it is NF4.
void nabla_stored_linear(int32_t type, const void *weight, int64_t rowBytes, int64_t columns, int64_t begin,
                         int64_t end, const float *x, int64_t rows, const float *bias, float *y, int64_t stride,
                         bool accumulate, const struct nabla_nf4_scales *scales);
