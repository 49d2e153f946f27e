// What works row by row: softmax, normalization, sums, losses, positions, an optimizer's step.
#include "check.h"

void test_rows(void) {
  enum { ROWS = 7, N = 131, ALL = ROWS * N };
  float *x = numbers(ALL), *weight = numbers(N), *bias = numbers(N), y[ALL], mean[ROWS], deviation[ROWS], line[ROWS];
  double expected[ALL], lines[ROWS];
  for (int i = 0; i < ALL; i++) x[i] *= 5;

  for (int r = 0; r < ROWS; r++) {
    double sum = 0;
    for (int i = 0; i < N; i++) sum += exp(x[r * N + i]);
    lines[r] = log(sum);
    for (int i = 0; i < N; i++) expected[r * N + i] = exp(x[r * N + i]) / sum;
  }
  nabla_softmax(ROWS, N, x, y);
  near("softmax", ALL, y, expected, 1e-6);
  for (int i = 0; i < ALL; i++) expected[i] = x[i] - lines[i / N];
  nabla_log_softmax(ROWS, N, x, y);
  near("log-softmax", ALL, y, expected, 1e-6);
  nabla_log_sum_exp(ROWS, N, x, line);
  near("log-sum-exp", ROWS, line, lines, 1e-6);

  int32_t targets[ROWS];
  memcpy(y, x, sizeof y);
  double losses[ROWS];
  for (int r = 0; r < ROWS; r++) {
    targets[r] = r == 3 ? -100 : r * 17 % N;
    losses[r] = r == 3 ? 0 : lines[r] - x[r * N + targets[r]];
    for (int i = 0; i < N; i++)
      expected[r * N + i] = r == 3 ? 0 : exp(x[r * N + i] - lines[r]) - (i == targets[r]);
  }
  nabla_cross_entropy(ROWS, N, y, targets, NULL, (struct nabla_cross_entropy_options){0, 0, -100}, 1, line);
  near("cross-entropy", ROWS, line, losses, 1e-6);
  near("its gradient", ALL, y, expected, 1e-6);

  for (int centered = 0; centered < 2; centered++) {
    for (int r = 0; r < ROWS; r++) {
      double m = 0, v = 0;
      for (int i = 0; i < N; i++) m += centered ? x[r * N + i] / (double)N : 0;
      for (int i = 0; i < N; i++) v += pow(x[r * N + i] - m, 2) / N;
      for (int i = 0; i < N; i++)
        expected[r * N + i] = (x[r * N + i] - m) / sqrt(v + 1e-5) * weight[i] + bias[i];
    }
    nabla_norm(centered, ROWS, N, x, weight, bias, 1e-5f, y, mean, deviation);
    near(centered ? "layer norm" : "RMS norm", ALL, y, expected, 2e-6);
    uint16_t halves[ALL];
    nabla_norm_to_bfloat16(centered, ROWS, N, x, weight, bias, 1e-5f, halves, mean, deviation);
    near16("the same in bfloat16", ALL, halves, expected, 4e-3);
  }

  double sums[N] = {0}, total = 0;
  float columns[N] = {0};
  for (int i = 0; i < ALL; i++) sums[i % N] += x[i], total += (double)x[i] * x[i];
  nabla_sum_columns(ROWS, N, 0, N, x, columns);
  near("sum of columns", N, columns, sums, 1e-6);
  nabla_sum_middle(0, 1, ROWS, N, x, columns);
  near("sum of the middle", N, columns, sums, 1e-6);
  const float square = (float)nabla_sum_of_squares(ALL, x);
  near("sum of squares", 1, &square, &total, 1e-6);

  enum { SIZE = 24, HALF = SIZE / 2, HEADS = 5 };
  float cosine[HALF], sine[HALF];
  for (int i = 0; i < HALF; i++) cosine[i] = cosf((float)i), sine[i] = sinf((float)i);
  for (int interleaved = 0; interleaved < 2; interleaved++) {
    for (int h = 0; h < HEADS; h++)
      for (int i = 0; i < HALF; i++) {
        const int a = h * SIZE + (interleaved ? 2 * i : i), b = interleaved ? a + 1 : a + HALF;
        expected[a] = (double)x[a] * cosine[i] - (double)x[b] * sine[i];
        expected[b] = (double)x[b] * cosine[i] + (double)x[a] * sine[i];
      }
    nabla_rotary(HEADS, SIZE, SIZE, interleaved, cosine, sine, 1, x, y);
    near("rotary positions", HEADS * SIZE, y, expected, 1e-6);
  }

  // AdamW, second step: θ ← θ - η λ θ - η m̂ / (√v̂ + ε).
  float m[N], v[N], w[N], *g = numbers(N);
  double b1 = 0.9, b2 = 0.95, rate = 0.01, decay = 0.1;
  for (int i = 0; i < N; i++) {
    m[i] = bias[i], v[i] = fabsf(weight[i]), w[i] = x[i];
    const double mi = b1 * m[i] + (1 - b1) * g[i], vi = b2 * v[i] + (1 - b2) * g[i] * g[i];
    expected[i] = w[i] - rate * decay * w[i] - rate * (mi / (1 - b1 * b1)) / (sqrt(vi / (1 - b2 * b2)) + 1e-8);
  }
  const struct nabla_adamw_settings settings = {
      .learning_rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f, .weight_decay = 0.1f,
      .correction1 = 1 - 0.81f, .correction2 = 1 - 0.9025f, .gradient_scale = 1};
  uint16_t copy[N];
  nabla_adamw_step(N, settings, w, g, m, v, copy);
  near("AdamW", N, w, expected, 1e-6);
  near16("its bfloat16 copy", N, copy, expected, 4e-3);
  free(x), free(weight), free(bias), free(g);
}
