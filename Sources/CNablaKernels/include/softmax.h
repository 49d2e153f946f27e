#pragma once
#include <stdint.h>

/// Each of `rows` rows of `n`: y = exp(x - max) / Σ exp(x - max). A row of -infinity gives zeros.
void nabla_softmax(int64_t rows, int64_t n, const float *x, float *y);
/// dx = y · (dy - Σ y·dy).
void nabla_softmax_backward(int64_t rows, int64_t n, const float *y, const float *dy, float *dx);
/// y = x - logsumexp(x).
void nabla_log_softmax(int64_t rows, int64_t n, const float *x, float *y);
/// dx = dy - exp(y) · Σ dy.
void nabla_log_softmax_backward(int64_t rows, int64_t n, const float *y, const float *dy, float *dx);
/// y[r] = ln Σ exp(x[r, :]).
void nabla_log_sum_exp(int64_t rows, int64_t n, const float *x, float *y);
