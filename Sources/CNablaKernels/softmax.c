#include "softmax.h"
#include "vectormath.h"

/// Σ exp(x - m).
static inline INLINED float row_sum_exp(int64_t n, const float *x, float m) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += exp_float(x[i] - m);
  return sum;
}

DISPATCHED(void, nabla_softmax, (int64_t rows, int64_t n, const float *x, float *y), (rows, n, x, y)) {
  for (int64_t r = 0; r < rows; r++, x += n, y += n) {
    float m = row_maximum(n, x);
    if (m == -INFINITY) {
      for (int64_t i = 0; i < n; i++) y[i] = x[i] != x[i] ? x[i] : 0.0f;
      continue;
    }
    float sum = 0;
    for (int64_t i = 0; i < n; i++) {
      float e = exp_float(x[i] - m);
      y[i] = e;
      sum += e;
    }
    float scale = 1.0f / sum;
    for (int64_t i = 0; i < n; i++) y[i] *= scale;
  }
}
DISPATCHED(void, nabla_softmax_backward,
           (int64_t rows, int64_t n, const float *y, const float *dy, float *dx), (rows, n, y, dy, dx)) {
  for (int64_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
    float dot = 0;
    for (int64_t i = 0; i < n; i++) dot += y[i] * dy[i];
    for (int64_t i = 0; i < n; i++) dx[i] = y[i] * (dy[i] - dot);
  }
}
DISPATCHED(void, nabla_log_softmax, (int64_t rows, int64_t n, const float *x, float *y), (rows, n, x, y)) {
  for (int64_t r = 0; r < rows; r++, x += n, y += n) {
    float m = row_maximum(n, x);
    // (x - m) - ln Σ, and not x - (m + ln Σ): a large m would leave few bits for ln Σ.
    const int is_empty = m == -INFINITY;
    float log_sum = is_empty ? 0.0f : log_float(row_sum_exp(n, x, m));
    if (is_empty) m = 0;
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) - log_sum;
  }
}
DISPATCHED(void, nabla_log_softmax_backward,
           (int64_t rows, int64_t n, const float *y, const float *dy, float *dx), (rows, n, y, dy, dx)) {
  for (int64_t r = 0; r < rows; r++, y += n, dy += n, dx += n) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++) sum += dy[i];
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] - exp_float(y[i]) * sum;
  }
}
DISPATCHED(void, nabla_log_sum_exp, (int64_t rows, int64_t n, const float *x, float *y), (rows, n, x, y)) {
  for (int64_t r = 0; r < rows; r++, x += n) {
    float m = row_maximum(n, x);
    float sum = 0;
    // A row of infinities has an infinite result, unless there is a NaN; their difference would be NaN.
    if (isinf(m))
      for (int64_t i = 0; i < n; i++) sum = x[i] != x[i] ? x[i] : sum;
    y[r] = isinf(m) ? m + sum : m + log_float(row_sum_exp(n, x, m));
  }
}
