#pragma once
#include <stdint.h>

enum nabla_unary_operation {
  NABLA_NEGATE, NABLA_EXP, NABLA_LOG, NABLA_SQRT, NABLA_RECIPROCAL, NABLA_SQUARE, NABLA_ABS, NABLA_SIN, NABLA_COS,
  NABLA_RELU, NABLA_GELU, NABLA_GELU_TANH, NABLA_SILU, NABLA_TANH, NABLA_SIGMOID, NABLA_SOFTPLUS,
};
enum nabla_binary_operation {
  NABLA_ADD, NABLA_SUBTRACT, NABLA_MULTIPLY, NABLA_DIVIDE, NABLA_MAXIMUM, NABLA_MINIMUM, NABLA_POWER,
  NABLA_EQUAL, NABLA_LESS, NABLA_LESS_EQUAL,
};

/// y = f(x) over `n` elements.
void nabla_unary(int32_t op, int64_t n, const float *x, float *y);
void nabla_unary_bfloat16(int32_t op, int64_t n, const uint16_t *x, uint16_t *y);
/// dx = dy · f'(x) over `n` elements.
void nabla_unary_backward(int32_t op, int64_t n, const float *x, const float *dy, float *dx);
void nabla_unary_backward_bfloat16(int32_t op, int64_t n, const uint16_t *x, const uint16_t *dy, uint16_t *dx);

/// y = a ∘ b over `n` elements; a stride of 0 repeats one element, 1 walks along.
void nabla_binary(int32_t op, int64_t n, const float *a, int64_t strideA, const float *b, int64_t strideB, float *y);
/// y = condition ≠ 0 ? a : b, with strides as above.
void nabla_where(int64_t n, const float *condition, int64_t strideC, const float *a, int64_t strideA, const float *b,
                 int64_t strideB, float *y);

/// y += alpha · x.
void nabla_add_scaled(int64_t n, float alpha, const float *x, float *y);
void nabla_add_bfloat16(int64_t n, const uint16_t *x, uint16_t *y);
/// y = alpha · x + beta.
void nabla_scale_shift(int64_t n, const float *x, float alpha, float beta, float *y);
void nabla_clamp(int64_t n, const float *x, float low, float high, float *y);
/// dx = low ≤ x ≤ high ? dy : 0.
void nabla_clamp_backward(int64_t n, const float *x, const float *dy, float low, float high, float *dx);
void nabla_fill(int64_t n, float value, float *y);

/// SwiGLU: y = silu(gate) · up (Shazeer 2020). gate and up are the halves of each row of x: [rows, 2·width].
void nabla_swiglu(int64_t rows, int64_t width, const float *x, float *y);
void nabla_swiglu_bfloat16(int64_t rows, int64_t width, const uint16_t *x, uint16_t *y);
void nabla_swiglu_backward(int64_t rows, int64_t width, const float *x, const float *dy, float *dx);
void nabla_swiglu_backward_bfloat16(int64_t rows, int64_t width, const uint16_t *x, const uint16_t *dy, uint16_t *dx);
