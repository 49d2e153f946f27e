// Conversions, random numbers, and what works element by element.
#include "check.h"

static float half(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const double magnitude = exponent == 0    ? ldexp(fraction, -24)
                           : exponent == 31 ? (fraction ? NAN : INFINITY)
                                            : ldexp(1024 + fraction, exponent - 25);
  return (float)(h & 0x8000 ? -magnitude : magnitude);
}

void test_numbers(void) {
  enum { N = 65536 };
  uint16_t *patterns = memory(2 * N), *back = memory(2 * N);
  float *y = memory(4 * N);
  double *expected = memory(8 * N);
  for (int i = 0; i < N; i++) patterns[i] = (uint16_t)i;
  for (int i = 0; i < N; i++) expected[i] = wide(patterns[i]);
  nabla_bfloat16_to_float(N, patterns, y);
  near("bfloat16 to float", N, y, expected, 0);
  nabla_float_to_bfloat16(N, y, back);
  near16("and back", N, back, expected, 0);
  for (int i = 0; i < N; i++) expected[i] = half(patterns[i]);
  nabla_float16_to_float(N, patterns, y);
  near("float16 to float", N, y, expected, 0);
  nabla_float_to_float16(N, y, back);
  for (int i = 0; i < N; i++)
    if (!isnan(y[i]) && back[i] != patterns[i]) failures++, printf("FAILED float to float16: %04x\n", i);
  // Between two neighbors: the nearer one, and of two as near the one with an even pattern.
  for (int i = 0x3c00; i < 0x3d00; i++) {
    const float low = half((uint16_t)i), high = half((uint16_t)(i + 1)), middle = (low + high) / 2;
    const float x[3] = {nextafterf(middle, 0), middle, nextafterf(middle, 9)};
    const uint16_t nearest[3] = {(uint16_t)i, (uint16_t)(i + (i & 1)), (uint16_t)(i + 1)};
    nabla_float_to_float16(3, x, back);
    same("float to float16 rounds", 6, back, nearest);
  }
  for (int i = 0x3f00; i < 0x4000; i++) {
    const float low = wide((uint16_t)i), high = wide((uint16_t)(i + 1)), middle = (low + high) / 2;
    const float x[3] = {nextafterf(middle, 0), middle, nextafterf(middle, 9)};
    const uint16_t nearest[3] = {(uint16_t)i, (uint16_t)(i + (i & 1)), (uint16_t)(i + 1)};
    nabla_float_to_bfloat16(3, x, back);
    same("float to bfloat16 rounds", 6, back, nearest);
  }
  // Random123's known answer: Philox4x32-10 with all words 0.
  uint32_t words[4];
  const uint32_t known[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  nabla_philox(0, 0, 0, 4, words);
  same("Philox", 16, words, known);
  int32_t *integers = memory(4 * 4096);
  nabla_random_integers(7, 1, 3, 0, 4096, 1000, integers);
  exact("random integers", 4 * 4096, integers);
  nabla_random_uniform(7, 1, 3, 0, 4096, y);
  exact("uniform numbers", 4 * 4096, y);
  nabla_random_normal(7, 1, 3, 0, 4096, y);
  double mean = 0, square = 0;
  for (int i = 0; i < 4096; i++) mean += y[i] / 4096, square += (double)y[i] * y[i] / 4096;
  if (!(fabs(mean) < 0.06 && fabs(square - 1) < 0.1)) failures++, printf("FAILED normal numbers\n");
  free(patterns), free(back), free(y), free(expected), free(integers);
}

static double unary(int32_t op, double x) {
  switch (op) {
    case NABLA_NEGATE: return -x;
    case NABLA_EXP: return exp(x);
    case NABLA_LOG: return log(x);
    case NABLA_SQRT: return sqrt(x);
    case NABLA_RECIPROCAL: return 1 / x;
    case NABLA_SQUARE: return x * x;
    case NABLA_ABS: return fabs(x);
    case NABLA_SIN: return sin(x);
    case NABLA_COS: return cos(x);
    case NABLA_RELU: return x > 0 ? x : 0;
    case NABLA_GELU: return 0.5 * x * erfc(-x / sqrt(2));
    case NABLA_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case NABLA_SILU: return x / (1 + exp(-x));
    case NABLA_TANH: return tanh(x);
    case NABLA_SIGMOID: return 1 / (1 + exp(-x));
    default: return log1p(exp(x));
  }
}

void test_elements(void) {
  enum { N = 1003 };
  float *x = numbers(N), *other = numbers(N), *dy = numbers(N), y[N];
  double expected[N];
  char name[64];
  for (int32_t op = NABLA_NEGATE; op <= NABLA_SOFTPLUS; op++) {
    const int positive = op == NABLA_LOG || op == NABLA_SQRT || op == NABLA_RECIPROCAL;
    for (int i = 0; i < N; i++) x[i] = positive ? 0.1f + fabsf(x[i]) : 4 * number();
    for (int i = 0; i < N; i++) expected[i] = unary(op, x[i]);
    nabla_unary(op, N, x, y);
    snprintf(name, sizeof name, "unary operation %d", op);
    near(name, N, y, expected, 1e-6);
    for (int i = 0; i < N; i++)
      expected[i] = dy[i] * (unary(op, x[i] + 1e-5) - unary(op, x[i] - 1e-5)) / 2e-5;
    nabla_unary_backward(op, N, x, dy, y);
    strcat(name, ", gradient");
    near(name, N, y, expected, 1e-5);
  }
  for (int32_t op = NABLA_ADD; op <= NABLA_LESS_EQUAL; op++) {
    for (int i = 0; i < N; i++) {
      const double a = x[i] = fabsf(x[i]), b = other[i];
      const double values[] = {a + b, a - b, a * b, a / b, fmax(a, b), fmin(a, b), pow(a, b), a == b, a < b, a <= b};
      expected[i] = values[op];
    }
    nabla_binary(op, N, x, 1, other, 1, y);
    snprintf(name, sizeof name, "binary operation %d", op);
    near(name, N, y, expected, 2e-6);
  }
  enum { WIDTH = 59, ROWS = 8 };
  for (int r = 0; r < ROWS; r++)
    for (int i = 0; i < WIDTH; i++) expected[r * WIDTH + i] = unary(NABLA_SILU, x[2 * r * WIDTH + i]) * x[(2 * r + 1) * WIDTH + i];
  nabla_swiglu(ROWS, WIDTH, x, y);
  near("SwiGLU", ROWS * WIDTH, y, expected, 1e-6);
  for (int i = 0; i < N; i++) expected[i] = y[i] = x[i];
  for (int i = 0; i < N; i++) expected[i] += 0.25 * other[i];
  nabla_add_scaled(N, 0.25f, other, y);
  near("add scaled", N, y, expected, 1e-7);
  free(x), free(other), free(dy);
}
