#pragma once
#include <stdint.h>

/// Normalization of each of `rows` rows of `n` elements. Layer norm: y = (x - mean) · rstd · weight + bias, with
/// rstd = 1/√(variance + epsilon). RMS norm (`centered` = 0): mean is 0. weight and bias may be null (1 and 0).
/// mean and rstd: [rows], saved for the backward pass. The _to_bfloat16 form rounds y.
void nabla_norm(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight, const float *bias,
                float epsilon, float *y, float *mean, float *rstd);
void nabla_norm_to_bfloat16(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight,
                            const float *bias, float epsilon, uint16_t *y, float *mean, float *rstd);
/// dx of the above; adds the gradients of weight and bias (null: not needed) of these rows to dweight and dbias.
void nabla_norm_backward(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight,
                         const float *mean, const float *rstd, const float *dy, float *dx, float *dweight,
                         float *dbias);
void nabla_norm_backward_from_bfloat16(int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight,
                                       const float *mean, const float *rstd, const uint16_t *dy, float *dx,
                                       float *dweight, float *dbias);

/// Group normalization of x: [B, groups · channels, area]. A row is one group of one example.
struct nabla_group_norm_sizes {
  int64_t groups;
  int64_t channels;  // of a group
  int64_t area;      // positions of a channel
};

/// Rows first..<last of y = (x - mean) · rstd · weight + bias. weight and bias: one for each channel, or NULL.
void nabla_group_norm(struct nabla_group_norm_sizes problem, int64_t first, int64_t last, const float *x,
                      const float *weight, const float *bias, float epsilon, float *y, float *mean, float *rstd);

/// Rows first..<last of dx, and of each example's share of the parameters' gradients: dweight, dbias:
/// [B, groups · channels].
void nabla_group_norm_backward(struct nabla_group_norm_sizes problem, int64_t first, int64_t last, const float *x,
                               const float *weight, const float *mean, const float *rstd, const float *dy, float *dx,
                               float *dweight, float *dbias);
