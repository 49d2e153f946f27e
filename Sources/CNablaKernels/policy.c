// Rows are processed LANES at a time, one action after the other, so that the loops over rows vectorize.
#include "policy.h"
#include "vectormath.h"

#define LANES 64
#define HALF_LOG_2PI 0.918938533204672742f

int64_t nabla_policy_scratch(int64_t n) { return 2 * LANES * n; }

// z[a][j] = ln softmax(logits of row j)[a], and e[a][j] its exponential.
static inline INLINED void log_softmax(
    const struct nabla_policy *p, int64_t first, int64_t count, float *restrict z, float *restrict e) {
  float largest[LANES], sum[LANES];
  const float *x = p->parameters + first * p->stride;
  for (int64_t a = 0; a < p->n; a++) {
    for (int64_t j = 0; j < count; j++) z[a * LANES + j] = x[j * p->stride + a];
    for (int64_t j = count; j < LANES; j++) z[a * LANES + j] = 0;
  }
  for (int j = 0; j < LANES; j++) largest[j] = z[j];
  for (int64_t a = 1; a < p->n; a++)
    for (int j = 0; j < LANES; j++) largest[j] = z[a * LANES + j] > largest[j] ? z[a * LANES + j] : largest[j];
  for (int j = 0; j < LANES; j++) sum[j] = 0;
  for (int64_t a = 0; a < p->n; a++)
    for (int j = 0; j < LANES; j++) sum[j] += exp_float(z[a * LANES + j] - largest[j]);
  for (int j = 0; j < LANES; j++) sum[j] = log_float(sum[j]);
  for (int64_t a = 0; a < p->n; a++)
    for (int j = 0; j < LANES; j++) {
      z[a * LANES + j] = (z[a * LANES + j] - largest[j]) - sum[j];
      e[a * LANES + j] = exp_float(z[a * LANES + j]);
    }
}

// z[a][j] = (action - mean) / deviation of row j.
static inline INLINED void standardize(
    const struct nabla_policy *p, int64_t first, int64_t count, const float *numbers, float *restrict z) {
  for (int64_t a = 0; a < p->n; a++) {
    const float inverse = exp_float(-p->log_deviations[a]);
    for (int64_t j = 0; j < count; j++)
      z[a * LANES + j] =
          (numbers[(first + j) * p->n + a] - p->parameters[(first + j) * p->stride + a]) * inverse;
    for (int64_t j = count; j < LANES; j++) z[a * LANES + j] = 0;
  }
}

// The log-probabilities of the block's actions, from the z of log_softmax or standardize.
static inline INLINED void block_log_probabilities(
    const struct nabla_policy *p, int64_t first, int64_t count, const int32_t *discrete, const float *z,
    float *restrict log_probability) {
  if (!p->continuous) {
    for (int64_t j = 0; j < count; j++) log_probability[j] = z[discrete[first + j] * LANES + j];
    for (int64_t j = count; j < LANES; j++) log_probability[j] = 0;
    return;
  }
  for (int j = 0; j < LANES; j++) log_probability[j] = 0;
  for (int64_t a = 0; a < p->n; a++) {
    const float constant = p->log_deviations[a] + HALF_LOG_2PI;
    for (int j = 0; j < LANES; j++)
      log_probability[j] -= 0.5f * z[a * LANES + j] * z[a * LANES + j] + constant;
  }
}

DISPATCHED(void, nabla_policy_log_probabilities,
           (const struct nabla_policy *p, int64_t rows, const int32_t *discrete, const float *numbers,
            float *log_probabilities, float *scratch),
           (p, rows, discrete, numbers, log_probabilities, scratch)) {
  float logs[LANES];
  for (int64_t first = 0; first < rows; first += LANES) {
    const int64_t count = rows - first < LANES ? rows - first : LANES;
    if (p->continuous) standardize(p, first, count, numbers, scratch);
    else log_softmax(p, first, count, scratch, scratch + LANES * p->n);
    block_log_probabilities(p, first, count, discrete, scratch, logs);
    memcpy(log_probabilities + first, logs, (size_t)count * sizeof(float));
  }
}

DISPATCHED(void, nabla_policy_sample,
           (const struct nabla_policy *p, int64_t rows, const float *noise, int32_t *discrete, float *numbers,
            float *log_probabilities, float *scratch),
           (p, rows, noise, discrete, numbers, log_probabilities, scratch)) {
  float logs[LANES];
  for (int64_t first = 0; first < rows; first += LANES) {
    const int64_t count = rows - first < LANES ? rows - first : LANES;
    if (p->continuous) {
      for (int64_t a = 0; a < p->n; a++) {
        const float deviation = exp_float(p->log_deviations[a]);
        for (int64_t r = first; r < first + count; r++)
          numbers[r * p->n + a] = p->parameters[r * p->stride + a] + deviation * noise[r * p->n + a];
      }
      standardize(p, first, count, numbers, scratch);
    } else {
      const float *e = scratch + LANES * p->n;
      log_softmax(p, first, count, scratch, scratch + LANES * p->n);
      // Inverts the cumulative distribution function; rounding may leave the sum below 1: then the last possible
      // action.
      for (int64_t j = 0; j < count; j++) {
        float sum = 0;
        int32_t pick = 0;
        for (int64_t a = 0; a < p->n; a++) {
          if (e[a * LANES + j] > 0) pick = (int32_t)a;
          sum += e[a * LANES + j];
          if (sum > noise[first + j]) break;
        }
        discrete[first + j] = pick;
      }
    }
    block_log_probabilities(p, first, count, discrete, scratch, logs);
    memcpy(log_probabilities + first, logs, (size_t)count * sizeof(float));
  }
}

DISPATCHED(double, nabla_policy_gradient,
           (const struct nabla_policy *p, const struct nabla_policy_batch *b, const struct nabla_policy_loss *loss,
            float *parameters_gradient, float *deviations_gradient, float *values_gradient,
            struct nabla_policy_statistics *statistics, float *scratch),
           (p, b, loss, parameters_gradient, deviations_gradient, values_gradient, statistics, scratch)) {
  const float share = 1.0f / (float)b->rows, low = 1.0f - loss->clip_range, high = 1.0f + loss->clip_range;
  float *z = scratch, *e = scratch + LANES * p->n;
  struct nabla_policy_statistics s = {0};
  if (p->continuous) {
    // The entropy of a normal distribution, Σ ln σ + ½ ln 2πe, does not depend on the row.
    for (int64_t a = 0; a < p->n; a++) {
      s.entropy += p->log_deviations[a] + HALF_LOG_2PI + 0.5f;
      deviations_gradient[a] = -loss->entropy_coefficient;
    }
    s.entropy *= (double)b->rows;
  }
  for (int64_t first = 0; first < b->rows; first += LANES) {
    const int64_t count = b->rows - first < LANES ? b->rows - first : LANES;
    float log_probability[LANES], slope[LANES], entropy[LANES];  // slope: d policy / d ln π
    if (p->continuous) standardize(p, first, count, b->numbers, z);
    else log_softmax(p, first, count, z, e);
    block_log_probabilities(p, first, count, b->discrete, z, log_probability);

    const float *advantage = b->advantages + first;
    if (b->old_log_probabilities) {
      const float *old = b->old_log_probabilities + first;
      float objective = 0, kl = 0, clipped = 0;
      for (int64_t j = 0; j < count; j++) {
        const float log_ratio = log_probability[j] - old[j], ratio = exp_float(log_ratio);
        float bounded = ratio < low ? low : ratio;
        bounded = bounded > high ? high : bounded;
        const float free = ratio * advantage[j], limited = bounded * advantage[j];
        objective += free < limited ? free : limited;
        kl += (ratio - 1.0f) - log_ratio;
        clipped += bounded != ratio ? 1.0f : 0.0f;
        // Where the clipped term is the smaller one it is constant.
        slope[j] = free <= limited ? -free * share : 0.0f;
      }
      s.policy_loss -= objective;
      s.approximate_kl += kl;
      s.clip_fraction += clipped;
    } else {
      float objective = 0;
      for (int64_t j = 0; j < count; j++) {
        objective += advantage[j] * log_probability[j];
        slope[j] = -advantage[j] * share;
      }
      s.policy_loss -= objective;
    }
    for (int64_t j = count; j < LANES; j++) slope[j] = 0;

    if (p->continuous) {
      for (int64_t a = 0; a < p->n; a++) {
        const float inverse = exp_float(-p->log_deviations[a]);
        float sum = 0;
        for (int64_t j = 0; j < count; j++) {
          const float d = z[a * LANES + j];
          parameters_gradient[(first + j) * p->stride + a] = slope[j] * d * inverse;
          sum += slope[j] * (d * d - 1.0f);
        }
        deviations_gradient[a] += sum;
      }
    } else {
      // H = -Σ p ln p, dH/dz_a = -p_a (ln p_a + H); d ln π / dz_a = [a = action] - p_a.
      for (int j = 0; j < LANES; j++) entropy[j] = 0;
      for (int64_t a = 0; a < p->n; a++)
        for (int j = 0; j < LANES; j++) {
          // 0 · ln 0 = 0.
          const float term = e[a * LANES + j] * z[a * LANES + j];
          entropy[j] -= e[a * LANES + j] > 0.0f ? term : 0.0f;
        }
      for (int64_t j = 0; j < count; j++) s.entropy += entropy[j];
      const float weight = loss->entropy_coefficient * share;
      for (int64_t a = 0; a < p->n; a++) {
        for (int j = 0; j < LANES; j++) {
          const float probability = e[a * LANES + j], log = probability > 0.0f ? z[a * LANES + j] : 0.0f;
          e[a * LANES + j] = probability * (weight * (log + entropy[j]) - slope[j]);
        }
        for (int64_t j = 0; j < count; j++) parameters_gradient[(first + j) * p->stride + a] = e[a * LANES + j];
      }
      for (int64_t j = 0; j < count; j++)
        parameters_gradient[(first + j) * p->stride + b->discrete[first + j]] += slope[j];
    }

    const float *returns = b->returns + first, *value = b->values + first * b->value_stride;
    float *dv = values_gradient + first * b->value_stride;
    const float factor = 2.0f * loss->value_coefficient * share, range = loss->value_clip_range;
    float squares = 0;
    for (int64_t j = 0; j < count; j++) {
      const float v = value[j * b->value_stride];
      float error = v - returns[j], gradient = error;
      if (range > 0.0f) {
        const float old = b->old_values[first + j];
        float moved = v - old < -range ? -range : v - old;
        moved = moved > range ? range : moved;
        const float limited = old + moved - returns[j];
        if (limited * limited > error * error) {
          gradient = moved == v - old ? limited : 0.0f;
          error = limited;
        }
      }
      squares += error * error;
      dv[j * b->value_stride] = factor * gradient;
    }
    s.value_loss += squares;
  }
  s.policy_loss *= share;
  s.value_loss *= share;
  s.entropy *= share;
  s.approximate_kl *= share;
  s.clip_fraction *= share;
  *statistics = s;
  return s.policy_loss + loss->value_coefficient * s.value_loss - loss->entropy_coefficient * s.entropy;
}
