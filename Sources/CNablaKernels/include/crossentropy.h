#pragma once
#include <stdint.h>

struct nabla_cross_entropy_options {
  float label_smoothing;   // ε: the target is (1 - ε) one-hot + ε / n
  float z_loss;            // weight of logsumexp(x)², which keeps logits from drifting (PaLM)
  int32_t ignore_index;    // rows with this target have no loss and no gradient
};

/// Per-row cross-entropy from logits, in nats: loss[r] = logsumexp(x) - target part. If `gradient` is true, x is
/// overwritten with d loss[r] / d x, times weight[r] (1 where weight is null).
void nabla_cross_entropy(int64_t rows, int64_t n, float *x, const int32_t *targets, const float *weight,
                         struct nabla_cross_entropy_options options, int32_t gradient, float *loss);

/// Per row, with p = softmax(x · inverse_temperature): the log-probability of the target, ln p[target], and the entropy
/// of p, -Σ p ln p, in nats; 0 and 0 where the target is `ignore_index`. If `d_log_probability` is not null, x is
/// overwritten with the gradient with respect to x that comes from those of the two results.
void nabla_log_probabilities(int64_t rows, int64_t n, float *x, const int32_t *targets, int32_t ignore_index,
                             float inverse_temperature, const float *d_log_probability, const float *d_entropy,
                             float *log_probability, float *entropy);
