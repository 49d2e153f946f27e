#include "crossentropy.h"
#include "vectormath.h"

DISPATCHED(void, nabla_cross_entropy,
           (int64_t rows, int64_t n, float *x, const int32_t *targets, const float *weight,
            struct nabla_cross_entropy_options options, int32_t gradient, float *loss),
           (rows, n, x, targets, weight, options, gradient, loss)) {
  float smoothing = options.label_smoothing;
  for (int64_t r = 0; r < rows; r++, x += n) {
    int32_t target = targets[r];
    if (target == options.ignore_index) {
      loss[r] = 0;
      if (gradient) memset(x, 0, (size_t)n * 4);
      continue;
    }
    // All of it is relative to the largest logit m: ln Σ - (x - m), and not (m + ln Σ) - x, for which a large m would
    // leave few bits.
    float m = row_maximum(n, x);
    float picked = x[target] - m;
    float sum = 0, total = 0;
    if (gradient) {
      for (int64_t i = 0; i < n; i++) {
        float d = x[i] - m, e = exp_float(d);
        total += d;
        sum += e;
        x[i] = e;
      }
    } else {
      for (int64_t i = 0; i < n; i++) {
        float d = x[i] - m;
        sum += exp_float(d);
        total += d;
      }
    }
    float log_sum = log_float(sum), z = m + log_sum;
    loss[r] = log_sum - (1.0f - smoothing) * picked - (smoothing > 0 ? smoothing * (total / (float)n) : 0) +
              options.z_loss * z * z;
    if (gradient) {
      float w = weight ? weight[r] : 1.0f;
      // d z / d x = softmax(x); d (z-loss) / d x = 2 · z_loss · z · softmax(x).
      float scale = w * (1.0f + 2.0f * options.z_loss * z) / sum;
      float uniform = w * smoothing / (float)n;
      for (int64_t i = 0; i < n; i++) x[i] = x[i] * scale - uniform;
      x[target] -= w * (1.0f - smoothing);
    }
  }
}

DISPATCHED(void, nabla_log_probabilities,
           (int64_t rows, int64_t n, float *x, const int32_t *targets, int32_t ignore_index,
            float inverse_temperature, const float *d_log_probability, const float *d_entropy,
            float *log_probability, float *entropy),
           (rows, n, x, targets, ignore_index, inverse_temperature, d_log_probability, d_entropy, log_probability,
            entropy)) {
  const float beta = inverse_temperature;
  for (int64_t r = 0; r < rows; r++, x += n) {
    const int32_t target = targets[r];
    if (target == ignore_index) {
      log_probability[r] = entropy[r] = 0;
      if (d_log_probability) memset(x, 0, (size_t)n * 4);
      continue;
    }
    // With z = x - max x: ln p = βz - ln Σ exp(βz), and the entropy is ln Σ exp(βz) - Σ p·βz. A logit of -∞ contributes
    // nothing.
    const float m = row_maximum(n, x);
    float sum = 0, dot = 0;
    for (int64_t i = 0; i < n; i++) {
      const float z = beta * (x[i] - m), e = exp_float(z);
      sum += e;
      dot += e > 0 ? e * z : 0;
    }
    const float log_sum = log_float(sum), h = log_sum - dot / sum;
    log_probability[r] = beta * (x[target] - m) - log_sum;
    entropy[r] = h;
    if (d_log_probability) {
      // d ln p[t] / d x_i = β (1[i = t] - p_i);  d H / d x_i = -β p_i (ln p_i + H).
      const float g = beta * d_log_probability[r], e = beta * d_entropy[r];
      for (int64_t i = 0; i < n; i++) {
        const float log_p = beta * (x[i] - m) - log_sum, p = exp_float(log_p);
        x[i] = p > 0 ? -p * (g + e * (log_p + h)) : 0;
      }
      x[target] += g;
    }
  }
}
