#pragma once
#include <stdint.h>

/// Windows over planes of two spatial dimensions.
struct nabla_window {
  int64_t input[2], kernel[2], output[2], stride[2], padding[2];
};

/// The largest element of each window (NaN wins) and its index in the plane; padding is never the largest.
void nabla_max_pool(const struct nabla_window *window, int64_t planes, const float *x, float *y, int32_t *places);
/// dx[places[i]] += dy[i] in each plane. dx must be zero.
void nabla_max_pool_backward(const struct nabla_window *window, int64_t planes, const float *dy, const int32_t *places,
                             float *dx);
/// The sum of each window divided by its size, or by the size of its part inside the plane if `excludesPadding`.
void nabla_average_pool(const struct nabla_window *window, int32_t excludesPadding, int64_t planes, const float *x,
                        float *y);
/// dx must be zero.
void nabla_average_pool_backward(const struct nabla_window *window, int32_t excludesPadding, int64_t planes,
                                 const float *dy, float *dx);
/// Each element repeated `scale` times in each dimension: planes of rows × columns grow by the scales.
void nabla_upsample_nearest(int64_t planes, int64_t rows, int64_t columns, int64_t rowScale, int64_t columnScale,
                            const float *x, float *y);
void nabla_upsample_nearest_backward(int64_t planes, int64_t rows, int64_t columns, int64_t rowScale,
                                     int64_t columnScale, const float *dy, float *dx);
