#pragma once
#include <stdint.h>

/// Normalisation of each of `rows` rows of `n` elements. Layer norm: y = (x - mean) · rstd · weight + bias, with
/// rstd = 1/√(variance + epsilon). RMS norm (`centered` = 0): mean is 0. weight and bias may be null (1 and 0).
/// mean and rstd: [rows], kept for the backward. The _to_bfloat16 form rounds y.
void nabla_norm(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight, const float *bias,
                float epsilon, float *y, float *mean, float *rstd);
void nabla_norm_to_bfloat16(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight,
                            const float *bias, float epsilon, uint16_t *y, float *mean, float *rstd);
/// dx of the above; adds the gradients of weight and bias (null: not wanted) of these rows to dweight and dbias.
void nabla_norm_backward(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight,
                         const float *mean, const float *rstd, const float *dy, float *dx, float *dweight,
                         float *dbias);
void nabla_norm_backward_from_bfloat16(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight,
                                       const float *mean, const float *rstd, const uint16_t *dy, float *dx,
                                       float *dweight, float *dbias);
