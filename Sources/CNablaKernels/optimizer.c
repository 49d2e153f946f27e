#include "optimizer.h"
#include "kernel.h"

DISPATCHED(void, nabla_adamw_step,
           (int64_t n, struct nabla_adamw_settings s, float *restrict weight, const float *restrict gradient,
            float *restrict m, float *restrict v, uint16_t *restrict copy),
           (n, s, weight, gradient, m, v, copy)) {
  float decay = 1.0f - s.learning_rate * s.weight_decay;
  float step = s.learning_rate / s.correction1, root = 1.0f / __builtin_sqrtf(s.correction2);
  for (int64_t i = 0; i < n; i++) {
    float g = gradient[i] * s.gradient_scale;
    float mi = s.beta1 * m[i] + (1.0f - s.beta1) * g;
    float vi = s.beta2 * v[i] + (1.0f - s.beta2) * g * g;
    m[i] = mi;
    v[i] = vi;
    weight[i] = weight[i] * decay - step * mi / (__builtin_elementwise_sqrt(vi) * root + s.epsilon);
  }
  if (copy)
    for (int64_t i = 0; i < n; i++) copy[i] = float_to_bfloat16(weight[i]);
}

DISPATCHED(void, nabla_sgd_step,
           (int64_t n, struct nabla_sgd_settings s, float *restrict weight, const float *restrict gradient,
            float *restrict velocity, uint16_t *restrict copy),
           (n, s, weight, gradient, velocity, copy)) {
  for (int64_t i = 0; i < n; i++) {
    float g = gradient[i] * s.gradient_scale + s.weight_decay * weight[i];
    float u = s.first ? g : s.momentum * velocity[i] + g;
    velocity[i] = u;
    weight[i] -= s.learning_rate * (s.nesterov ? g + s.momentum * u : u);
  }
  if (copy)
    for (int64_t i = 0; i < n; i++) copy[i] = float_to_bfloat16(weight[i]);
}
