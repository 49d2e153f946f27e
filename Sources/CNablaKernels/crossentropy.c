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
    float m = row_maximum(n, x);
    float picked = x[target];
    float sum = 0, total = 0;
    if (gradient) {
      for (int64_t i = 0; i < n; i++) {
        float e = exp_float(x[i] - m);
        total += x[i];
        sum += e;
        x[i] = e;
      }
    } else {
      for (int64_t i = 0; i < n; i++) {
        sum += exp_float(x[i] - m);
        total += x[i];
      }
    }
    float z = m + log_float(sum);
    loss[r] = z - (1.0f - smoothing) * picked - (smoothing > 0 ? smoothing * (total / (float)n) : 0) +
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
