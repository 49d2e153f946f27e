// The perceptron and CartPole.
#include "check.h"

enum { ROWS = 37, LAYERS = 3 };
static const int32_t widths[LAYERS + 1] = {5, 64, 30, 2};

/// Σ dy · y of the network in float64.
static double loss(double *const *w, double *const *b, const float *x, const float *dy, double *y) {
  double sum = 0;
  for (int r = 0; r < ROWS; r++) {
    double in[64], out[64];
    for (int i = 0; i < widths[0]; i++) in[i] = x[r * widths[0] + i];
    for (int l = 0; l < LAYERS; l++) {
      for (int o = 0; o < widths[l + 1]; o++) {
        out[o] = b[l][o];
        for (int i = 0; i < widths[l]; i++) out[o] += w[l][o * widths[l] + i] * in[i];
        if (l + 1 < LAYERS) out[o] = tanh(out[o]);
      }
      memcpy(in, out, sizeof in);
    }
    for (int o = 0; o < widths[LAYERS]; o++) {
      if (y) y[r * widths[LAYERS] + o] = in[o];
      sum += dy[r * widths[LAYERS] + o] * in[o];
    }
  }
  return sum;
}

void test_networks(void) {
  const int outputs = widths[LAYERS];
  struct nabla_perceptron p = {.layerCount = LAYERS, .activation = NABLA_PERCEPTRON_TANH};
  double *w[LAYERS], *b[LAYERS];
  float *dw[LAYERS], *db[LAYERS];
  memcpy(p.widths, widths, sizeof widths);
  for (int l = 0; l < LAYERS; l++) {
    const int in = widths[l], out = widths[l + 1];
    float *weights = numbers(in * out), *biases = numbers(out);
    float *transposed = memory(4 * nabla_perceptron_transposed_floats(in, out));
    for (int i = 0; i < in * out; i++) weights[i] /= 4;
    nabla_perceptron_transpose(in, out, weights, transposed);
    p.weights[l] = weights, p.transposed[l] = transposed, p.biases[l] = biases;
    w[l] = memory(8 * in * out), b[l] = memory(8 * out), dw[l] = memory(4 * in * out), db[l] = memory(4 * out);
    for (int i = 0; i < in * out; i++) w[l][i] = weights[i];
    for (int i = 0; i < out; i++) b[l][i] = biases[i];
  }
  float *x = numbers(ROWS * widths[0]), *dy = numbers(ROWS * outputs), *y = memory(4 * ROWS * outputs);
  double *expected = memory(8 * ROWS * outputs);
  loss(w, b, x, dy, expected);
  float *saved = memory(4 * nabla_perceptron_forward_floats(&p, 1, ROWS));
  nabla_perceptron_forward(&p, 1, ROWS, x, saved, y, 2);
  near("perceptron", ROWS * outputs, y, expected, 1e-6);
  float *scratch = memory(4 * nabla_perceptron_backward_floats(&p, 1, ROWS));
  nabla_perceptron_backward(&p, 1, ROWS, saved, dy, scratch, NULL, dw, db, 2);
  for (int l = 0; l < LAYERS; l++)
    for (int i = 0; i < widths[l] * widths[l + 1]; i += 7) {
      const double value = w[l][i];
      w[l][i] = value + 1e-5;
      const double above = loss(w, b, x, dy, NULL);
      w[l][i] = value - 1e-5;
      const double difference = (above - loss(w, b, x, dy, NULL)) / 2e-5;
      w[l][i] = value;
      near("perceptron, gradient", 1, dw[l] + i, &difference, 2e-5);
    }

  // A pole that stands upright and is pushed right falls left: one step by the formula (Barto et al. 1983, Euler).
  double state[4] = {0.1, -0.2, 0.05, 0.3}, next[4];
  const double sine = sin(0.05), cosine = cos(0.05), temp = (10 + 0.05 * 0.09 * sine) / 1.1;
  const double turn = (9.8 * sine - cosine * temp) / (0.5 * (4.0 / 3 - 0.1 * cosine * cosine / 1.1));
  next[0] = 0.1 + 0.02 * -0.2, next[1] = -0.2 + 0.02 * (temp - 0.05 * turn * cosine / 1.1);
  next[2] = 0.05 + 0.02 * 0.3, next[3] = 0.3 + 0.02 * turn;
  const int32_t right = 1;
  float observation[4];
  bool ended;
  nabla_cartpole_step(0, 1, 1, state, &right, observation, &ended);
  near("CartPole", 4, observation, next, 1e-6);
  for (int l = 0; l < LAYERS; l++) {
    free((void *)p.weights[l]), free((void *)p.transposed[l]), free((void *)p.biases[l]);
    free(w[l]), free(b[l]), free(dw[l]), free(db[l]);
  }
  free(x), free(dy), free(y), free(expected), free(saved), free(scratch);
}
