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
