#pragma once
#include <stdint.h>

struct nabla_adamw_settings {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float correction1, correction2;  // 1 - β₁ᵗ and 1 - β₂ᵗ
  float gradient_scale;            // from clipping
};
/// One AdamW step (Loshchilov & Hutter 2019) over `n` elements; `copy` (may be null) receives the new weights in
/// bfloat16.
void nabla_adamw_step(int64_t n, struct nabla_adamw_settings settings, float *weight, const float *gradient, float *m, float *v,
                 uint16_t *copy);

struct nabla_sgd_settings {
  float learning_rate, momentum, weight_decay, gradient_scale;
  int32_t nesterov, first;  // first: the velocity starts as the gradient itself
};
void nabla_sgd_step(int64_t n, struct nabla_sgd_settings settings, float *weight, const float *gradient, float *velocity,
               uint16_t *copy);
