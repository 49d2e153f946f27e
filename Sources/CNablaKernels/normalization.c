#include "normalization.h"
#include "kernel.h"

#define IDENTITY(v) (v)

#define NORM(NAME, TYPE, STORE)                                                                                \
  DISPATCHED(void, NAME,                                                                                       \
             (int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight, const float *bias,\
              float epsilon, TYPE *y, float *mean, float *rstd),                                               \
             (centered, rows, n, x, weight, bias, epsilon, y, mean, rstd)) {                                   \
    for (int64_t r = 0; r < rows; r++, x += n, y += n) {                                                       \
      float sum = 0;                                                                                           \
      if (centered)                                                                                            \
        for (int64_t i = 0; i < n; i++) sum += x[i];                                                           \
      float m = sum / (float)n, squares = 0;                                                                   \
      for (int64_t i = 0; i < n; i++) squares += (x[i] - m) * (x[i] - m);                                      \
      float s = 1.0f / __builtin_sqrtf(squares / (float)n + epsilon);                                          \
      mean[r] = m;                                                                                             \
      rstd[r] = s;                                                                                             \
      if (weight && bias)                                                                                      \
        for (int64_t i = 0; i < n; i++) y[i] = STORE((x[i] - m) * s * weight[i] + bias[i]);                    \
      else if (weight)                                                                                         \
        for (int64_t i = 0; i < n; i++) y[i] = STORE((x[i] - m) * s * weight[i]);                              \
      else                                                                                                     \
        for (int64_t i = 0; i < n; i++) y[i] = STORE((x[i] - m) * s);                                          \
    }                                                                                                          \
  }
NORM(nabla_norm, float, IDENTITY)
NORM(nabla_norm_to_bfloat16, uint16_t, float_to_bfloat16)

// With x̂ = (x - mean)·rstd and g = dy·weight: dx = rstd · (g - mean(g) - x̂ · mean(g·x̂)); RMS norm has no mean(g).
#define NORM_BACKWARD(NAME, TYPE, LOAD)                                                                        \
  DISPATCHED(void, NAME,                                                                                       \
             (int32_t centered, int64_t rows, int64_t n, const float *x, const float *weight, const float *mean,\
              const float *rstd, const TYPE *dy, float *dx, float *dweight, float *dbias),                     \
             (centered, rows, n, x, weight, mean, rstd, dy, dx, dweight, dbias)) {                             \
    for (int64_t r = 0; r < rows; r++, x += n, dy += n, dx += n) {                                             \
      float m = mean[r], s = rstd[r], sum = 0, dot = 0;                                                        \
      if (weight) {                                                                                            \
        for (int64_t i = 0; i < n; i++) {                                                                      \
          float g = LOAD(dy[i]) * weight[i];                                                                   \
          sum += g;                                                                                            \
          dot += g * (x[i] - m);                                                                               \
          dx[i] = g;                                                                                           \
        }                                                                                                      \
      } else {                                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                                      \
          float g = LOAD(dy[i]);                                                                               \
          sum += g;                                                                                            \
          dot += g * (x[i] - m);                                                                               \
          dx[i] = g;                                                                                           \
        }                                                                                                      \
      }                                                                                                        \
      float shift = centered ? sum / (float)n : 0.0f;                                                          \
      float slope = dot * s * s / (float)n;                                                                    \
      for (int64_t i = 0; i < n; i++) dx[i] = s * (dx[i] - shift - (x[i] - m) * slope);                        \
      if (dweight)                                                                                             \
        for (int64_t i = 0; i < n; i++) dweight[i] += LOAD(dy[i]) * (x[i] - m) * s;                            \
      if (dbias)                                                                                               \
        for (int64_t i = 0; i < n; i++) dbias[i] += LOAD(dy[i]);                                               \
    }                                                                                                          \
  }
NORM_BACKWARD(nabla_norm_backward, float, IDENTITY)
NORM_BACKWARD(nabla_norm_backward_from_bfloat16, uint16_t, bfloat16_to_float)

DISPATCHED(void, nabla_group_norm,
           (struct nabla_group_norm_sizes p, int64_t first, int64_t last, const float *x, const float *weight,
            const float *bias, float epsilon, float *y, float *mean, float *rstd),
           (p, first, last, x, weight, bias, epsilon, y, mean, rstd)) {
  const int64_t n = p.channels * p.area;
  for (int64_t r = first; r < last; r++) {
    const float *from = x + r * n;
    float *to = y + r * n, sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) sum += from[i];
    const float m = sum / (float)n;
    for (int64_t i = 0; i < n; i++) squares += (from[i] - m) * (from[i] - m);
    const float s = 1.0f / __builtin_sqrtf(squares / (float)n + epsilon);
    mean[r] = m;
    rstd[r] = s;
    for (int64_t c = 0; c < p.channels; c++, from += p.area, to += p.area) {
      const int64_t channel = r % p.groups * p.channels + c;
      const float scale = weight ? s * weight[channel] : s, shift = bias ? bias[channel] : 0;
      for (int64_t i = 0; i < p.area; i++) to[i] = (from[i] - m) * scale + shift;
    }
  }
}

// As for layer norm above, with g = dy·weight of each channel.
DISPATCHED(void, nabla_group_norm_backward,
           (struct nabla_group_norm_sizes p, int64_t first, int64_t last, const float *x, const float *weight,
            const float *mean, const float *rstd, const float *dy, float *dx, float *dweight, float *dbias),
           (p, first, last, x, weight, mean, rstd, dy, dx, dweight, dbias)) {
  const int64_t n = p.channels * p.area;
  for (int64_t r = first; r < last; r++) {
    const float m = mean[r], s = rstd[r], *w = weight ? weight + r % p.groups * p.channels : NULL;
    float sum = 0, dot = 0;
    for (int64_t c = 0; c < p.channels; c++) {
      const float *from = x + r * n + c * p.area, *gradient = dy + r * n + c * p.area;
      float channelSum = 0, channelDot = 0;
      for (int64_t i = 0; i < p.area; i++) {
        channelSum += gradient[i];
        channelDot += gradient[i] * (from[i] - m);
      }
      dweight[r * p.channels + c] = channelDot * s;
      dbias[r * p.channels + c] = channelSum;
      sum += (w ? w[c] : 1) * channelSum;
      dot += (w ? w[c] : 1) * channelDot;
    }
    const float shift = sum / (float)n, slope = dot * s * s / (float)n;
    for (int64_t c = 0; c < p.channels; c++) {
      const float *from = x + r * n + c * p.area, *gradient = dy + r * n + c * p.area, scale = w ? w[c] : 1;
      float *to = dx + r * n + c * p.area;
      for (int64_t i = 0; i < p.area; i++) to[i] = s * (gradient[i] * scale - shift - (from[i] - m) * slope);
    }
  }
}
