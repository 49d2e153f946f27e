// Policies over few actions: sampling, log-probabilities, and the losses of policy-gradient methods with their
// gradients. One thread, one pass over the rows: a batch in reinforcement learning is small, and separate operations
// would cost more than the arithmetic.
#pragma once
#include <stdint.h>

/// A distribution over actions for each row. Discrete: `parameters` are logits. Continuous: they are means of a normal
/// distribution with standard deviations exp(log_deviations), the same for all rows.
struct nabla_policy {
  int64_t n;                    // A: discrete actions, or numbers of a continuous one
  int64_t stride;               // floats from one row's parameters to the next
  int32_t continuous;
  const float *parameters;      // [rows, A]
  const float *log_deviations;  // [A]; null if discrete
};

/// Scratch floats that these functions need.
int64_t nabla_policy_scratch(int64_t n);

/// Draws an action per row. `noise`: [rows] uniform in [0, 1) if discrete, [rows, A] normal if continuous. The action
/// goes to `discrete` [rows] or `numbers` [rows, A] (not clipped), ln π(action) to `log_probabilities` [rows].
void nabla_policy_sample(const struct nabla_policy *policy, int64_t rows, const float *noise, int32_t *discrete,
                         float *numbers, float *log_probabilities, float *scratch);

/// ln π(action) of given actions.
void nabla_policy_log_probabilities(const struct nabla_policy *policy, int64_t rows, const int32_t *discrete,
                                    const float *numbers, float *log_probabilities, float *scratch);

struct nabla_policy_batch {
  int64_t rows;
  const int32_t *discrete;             // [rows], or
  const float *numbers;                // [rows, A]
  const float *old_log_probabilities;  // [rows]; null for the plain policy gradient
  const float *advantages, *returns;   // [rows]
  const float *old_values;             // [rows]; may be null without value clipping
  const float *values;                 // [rows], value_stride apart
  int64_t value_stride;
};

struct nabla_policy_loss {
  float clip_range;         // ε
  float value_clip_range;   // 0: none
  float value_coefficient;  // c_v
  float entropy_coefficient;  // c_H
};

/// Means over the rows.
struct nabla_policy_statistics {
  double policy_loss, value_loss, entropy, approximate_kl, clip_fraction;
};

/// The loss  policy + c_v · value - c_H · entropy  and its gradients:
///
///     policy = mean -min(r·Â, clip(r, 1 - ε, 1 + ε)·Â),   r = π(a) / π_old(a)     (Schulman et al. 2017, equation 7)
///     or, without old probabilities, mean -Â·ln π(a)
///     value  = mean (V - R)², or the larger of that and the same of V clipped to V_old ± value_clip_range
///
/// approximate_kl = mean (r - 1) - ln r (Schulman 2020). Gradients go to `parameters_gradient` (rows as far apart as
/// the parameters), `deviations_gradient` [A] (continuous only) and `values_gradient` (value_stride apart).
double nabla_policy_gradient(const struct nabla_policy *policy, const struct nabla_policy_batch *batch,
                             const struct nabla_policy_loss *loss, float *parameters_gradient,
                             float *deviations_gradient, float *values_gradient,
                             struct nabla_policy_statistics *statistics, float *scratch);
