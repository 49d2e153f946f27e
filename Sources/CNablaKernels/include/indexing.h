#pragma once
#include <stdint.h>

/// y[i, :] = x[index[i], :] for rows of `bytes` bytes.
void nabla_gather_rows(int64_t count, int64_t bytes, const int32_t *index, const void *x, void *y);
/// y[index[i], c] += x[i, c] for columns [begin, end) of rows of `width`, in order of i.
void nabla_scatter_add_rows(int64_t count, int64_t width, int64_t begin, int64_t end, const int32_t *index,
                            const float *x, float *y);
/// Copies a tensor with its dimensions permuted: y (row-major, `shape`) takes x at `strides` (in elements).
/// Rows [begin, end) of y's first dimension.
void nabla_permute(int32_t rank, const int64_t *shape, const int64_t *strides, int64_t elementSize, int64_t begin,
                   int64_t end, const void *x, void *y);
