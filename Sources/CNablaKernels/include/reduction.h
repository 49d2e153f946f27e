#pragma once
#include <stdint.h>

/// A tensor reduced over its middle dimension: x is [outer, n, inner], y is [outer, inner]; the range [begin, end) of
/// outer is done.
void nabla_sum_middle(int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, float *y);
void nabla_max_middle(int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, float *y);
/// index: position of the first largest element.
void nabla_argmax_middle(int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, int32_t *index);
/// Running sums along the middle dimension; `reversed` starts at the end.
void nabla_cumulative_sum(int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, float *y,
                          int32_t reversed);

/// Sum of squares of `n` elements, in float64.
double nabla_sum_of_squares(int64_t n, const float *x);
/// Column sums of rows [0, rows) of x: y[c] += Σ x[r, c], for columns [begin, end).
void nabla_sum_columns(int64_t rows, int64_t width, int64_t begin, int64_t end, const float *x, float *y);
void nabla_sum_columns_bfloat16(int64_t rows, int64_t width, int64_t begin, int64_t end, const uint16_t *x, float *y);
