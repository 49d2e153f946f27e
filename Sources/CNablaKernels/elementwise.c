#include "elementwise.h"
#include "vectormath.h"

#define SQRT_HALF 0.70710678118654752f
#define INVERSE_SQRT_2PI 0.39894228040143268f
#define SQRT_2_OVER_PI 0.79788456080286536f

static inline float gelu(float x) { return 0.5f * x * (1.0f + erf_float(x * SQRT_HALF)); }
static inline float gelu_slope(float x) {
  return 0.5f * (1.0f + erf_float(x * SQRT_HALF)) + x * INVERSE_SQRT_2PI * exp_float(-0.5f * x * x);
}
static inline float gelu_tanh(float x) {
  return 0.5f * x * (1.0f + tanh_float(SQRT_2_OVER_PI * (x + 0.044715f * x * x * x)));
}
static inline float gelu_tanh_slope(float x) {
  // The slope is 0 or 1 long before 100; the square of a larger number could overflow and be multiplied by 0.
  x = x < -100.0f ? -100.0f : x;
  x = x > 100.0f ? 100.0f : x;
  float t = tanh_float(SQRT_2_OVER_PI * (x + 0.044715f * x * x * x));
  return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * SQRT_2_OVER_PI * (1.0f + 3.0f * 0.044715f * x * x);
}
static inline float silu_slope(float x) {
  float s = sigmoid_float(x);
  return s * (1.0f + x * (1.0f - s));
}

#define EACH(EXPRESSION)                    \
  for (int64_t i = 0; i < n; i++) {         \
    float v = x[i];                         \
    y[i] = (EXPRESSION);                    \
  }                                         \
  break;

static inline INLINED void unary(int32_t op, int64_t n, const float *x, float *y) {
  switch (op) {
    case NABLA_NEGATE: EACH(-v)
    case NABLA_EXP: EACH(exp_float(v))
    case NABLA_LOG: EACH(log_float(v))
    case NABLA_SQRT: EACH(__builtin_elementwise_sqrt(v))
    case NABLA_RECIPROCAL: EACH(1.0f / v)
    case NABLA_SQUARE: EACH(v * v)
    case NABLA_ABS: EACH(fabsf(v))
    case NABLA_SIN: EACH(sinf(v))
    case NABLA_COS: EACH(cosf(v))
    case NABLA_RELU: EACH(v < 0.0f ? 0.0f : v)
    case NABLA_GELU: EACH(gelu(v))
    case NABLA_GELU_TANH: EACH(gelu_tanh(v))
    case NABLA_SILU: EACH(v * sigmoid_float(v))
    case NABLA_TANH: EACH(tanh_float(v))
    case NABLA_SIGMOID: EACH(sigmoid_float(v))
    case NABLA_SOFTPLUS: EACH(softplus_float(v))
  }
}

#undef EACH
#define EACH(SLOPE)                         \
  for (int64_t i = 0; i < n; i++) {         \
    float v = x[i];                         \
    dx[i] = dy[i] * (SLOPE);                \
  }                                         \
  break;

static inline INLINED void unary_backward(int32_t op, int64_t n, const float *x, const float *dy, float *dx) {
  switch (op) {
    case NABLA_NEGATE: EACH(((void)v, -1.0f))
    case NABLA_EXP: EACH(exp_float(v))
    case NABLA_LOG: EACH(1.0f / v)
    case NABLA_SQRT: EACH(0.5f / __builtin_elementwise_sqrt(v))
    case NABLA_RECIPROCAL: EACH(-1.0f / (v * v))
    case NABLA_SQUARE: EACH(2.0f * v)
    case NABLA_ABS: EACH(v > 0.0f ? 1.0f : (v < 0.0f ? -1.0f : 0.0f))
    case NABLA_SIN: EACH(cosf(v))
    case NABLA_COS: EACH(-sinf(v))
    case NABLA_RELU: EACH(v > 0.0f ? 1.0f : 0.0f)
    case NABLA_GELU: EACH(gelu_slope(v))
    case NABLA_GELU_TANH: EACH(gelu_tanh_slope(v))
    case NABLA_SILU: EACH(silu_slope(v))
    case NABLA_TANH: EACH(1.0f - tanh_float(v) * tanh_float(v))
    case NABLA_SIGMOID: EACH(sigmoid_float(v) * (1.0f - sigmoid_float(v)))
    case NABLA_SOFTPLUS: EACH(sigmoid_float(v))
  }
}

DISPATCHED(void, nabla_unary, (int32_t op, int64_t n, const float *x, float *y), (op, n, x, y)) { unary(op, n, x, y); }
DISPATCHED(void, nabla_unary_backward,
           (int32_t op, int64_t n, const float *x, const float *dy, float *dx), (op, n, x, dy, dx)) {
  unary_backward(op, n, x, dy, dx);
}

// bfloat16 is converted through float tiles that stay in the L1 cache.
#define TILE 512

DISPATCHED(void, nabla_unary_bfloat16, (int32_t op, int64_t n, const uint16_t *x, uint16_t *y), (op, n, x, y)) {
  float tile[TILE];
  for (int64_t start = 0; start < n; start += TILE) {
    int64_t count = n - start < TILE ? n - start : TILE;
    for (int64_t i = 0; i < count; i++) tile[i] = bfloat16_to_float(x[start + i]);
    unary(op, count, tile, tile);
    for (int64_t i = 0; i < count; i++) y[start + i] = float_to_bfloat16(tile[i]);
  }
}
DISPATCHED(void, nabla_unary_backward_bfloat16,
           (int32_t op, int64_t n, const uint16_t *x, const uint16_t *dy, uint16_t *dx), (op, n, x, dy, dx)) {
  float xs[TILE], dys[TILE];
  for (int64_t start = 0; start < n; start += TILE) {
    int64_t count = n - start < TILE ? n - start : TILE;
    for (int64_t i = 0; i < count; i++) xs[i] = bfloat16_to_float(x[start + i]);
    for (int64_t i = 0; i < count; i++) dys[i] = bfloat16_to_float(dy[start + i]);
    unary_backward(op, count, xs, dys, dys);
    for (int64_t i = 0; i < count; i++) dx[start + i] = float_to_bfloat16(dys[i]);
  }
}

// One loop for each pair of strides, so that each vectorizes.
#define BINARY(EXPRESSION)                                                                                     \
  if (strideA == 1 && strideB == 1) {                                                                          \
    for (int64_t i = 0; i < n; i++) { float u = a[i], v = b[i]; y[i] = (EXPRESSION); }                         \
  } else if (strideA == 1 && strideB == 0) {                                                                   \
    float v = b[0];                                                                                            \
    for (int64_t i = 0; i < n; i++) { float u = a[i]; y[i] = (EXPRESSION); }                                   \
  } else if (strideA == 0 && strideB == 1) {                                                                   \
    float u = a[0];                                                                                            \
    for (int64_t i = 0; i < n; i++) { float v = b[i]; y[i] = (EXPRESSION); }                                   \
  } else {                                                                                                     \
    float u = a[0], v = b[0], w = (EXPRESSION);                                                                \
    for (int64_t i = 0; i < n; i++) y[i] = w;                                                                  \
  }                                                                                                            \
  break;

DISPATCHED(void, nabla_binary,
           (int32_t op, int64_t n, const float *a, int64_t strideA, const float *b, int64_t strideB, float *y),
           (op, n, a, strideA, b, strideB, y)) {
  switch (op) {
    case NABLA_ADD: BINARY(u + v)
    case NABLA_SUBTRACT: BINARY(u - v)
    case NABLA_MULTIPLY: BINARY(u * v)
    case NABLA_DIVIDE: BINARY(u / v)
    case NABLA_MAXIMUM: BINARY(u != u ? u : (u < v || v != v ? v : u))
    case NABLA_MINIMUM: BINARY(u != u ? u : (u > v || v != v ? v : u))
    case NABLA_POWER: BINARY(powf(u, v))
    case NABLA_EQUAL: BINARY(u == v ? 1.0f : 0.0f)
    case NABLA_LESS: BINARY(u < v ? 1.0f : 0.0f)
    case NABLA_LESS_EQUAL: BINARY(u <= v ? 1.0f : 0.0f)
  }
}

DISPATCHED(void, nabla_where,
           (int64_t n, const float *condition, int64_t strideC, const float *a, int64_t strideA, const float *b,
            int64_t strideB, float *y),
           (n, condition, strideC, a, strideA, b, strideB, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = condition[i * strideC] != 0.0f ? a[i * strideA] : b[i * strideB];
}
DISPATCHED(void, nabla_add_scaled, (int64_t n, float alpha, const float *x, float *y), (n, alpha, x, y)) {
  for (int64_t i = 0; i < n; i++) y[i] += alpha * x[i];
}
DISPATCHED(void, nabla_add_bfloat16, (int64_t n, const uint16_t *x, uint16_t *y), (n, x, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = float_to_bfloat16(bfloat16_to_float(y[i]) + bfloat16_to_float(x[i]));
}
DISPATCHED(void, nabla_scale_shift,
           (int64_t n, const float *x, float alpha, float beta, float *y), (n, x, alpha, beta, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = alpha * x[i] + beta;
}
DISPATCHED(void, nabla_clamp, (int64_t n, const float *x, float low, float high, float *y), (n, x, low, high, y)) {
  for (int64_t i = 0; i < n; i++) {
    float v = x[i] < low ? low : x[i];
    y[i] = v > high ? high : v;
  }
}
DISPATCHED(void, nabla_clamp_backward,
           (int64_t n, const float *x, const float *dy, float low, float high, float *dx),
           (n, x, dy, low, high, dx)) {
  for (int64_t i = 0; i < n; i++) dx[i] = x[i] >= low && x[i] <= high ? dy[i] : 0.0f;
}
DISPATCHED(void, nabla_fill, (int64_t n, float value, float *y), (n, value, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = value;
}

#define IDENTITY(v) (v)
#define SWIGLU(SUFFIX, TYPE, LOAD, STORE)                                                                      \
  DISPATCHED(void, nabla_swiglu##SUFFIX,                                                                       \
             (int64_t rows, int64_t width, const TYPE *x, TYPE *y), (rows, width, x, y)) {                     \
    for (int64_t r = 0; r < rows; r++, x += 2 * width, y += width)                                             \
      for (int64_t i = 0; i < width; i++) {                                                                    \
        float gate = LOAD(x[i]), up = LOAD(x[width + i]);                                                      \
        y[i] = STORE(gate * sigmoid_float(gate) * up);                                                         \
      }                                                                                                        \
  }                                                                                                            \
  DISPATCHED(void, nabla_swiglu_backward##SUFFIX,                                                              \
             (int64_t rows, int64_t width, const TYPE *x, const TYPE *dy, TYPE *dx), (rows, width, x, dy, dx)) {\
    for (int64_t r = 0; r < rows; r++, x += 2 * width, dy += width, dx += 2 * width)                           \
      for (int64_t i = 0; i < width; i++) {                                                                    \
        float gate = LOAD(x[i]), up = LOAD(x[width + i]), d = LOAD(dy[i]);                                     \
        float s = sigmoid_float(gate);                                                                         \
        dx[i] = STORE(d * up * s * (1.0f + gate * (1.0f - s)));                                                \
        dx[width + i] = STORE(d * gate * s);                                                                   \
      }                                                                                                        \
  }
SWIGLU(, float, IDENTITY, IDENTITY)
SWIGLU(_bfloat16, uint16_t, bfloat16_to_float, float_to_bfloat16)
