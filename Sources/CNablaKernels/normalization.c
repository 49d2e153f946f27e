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
