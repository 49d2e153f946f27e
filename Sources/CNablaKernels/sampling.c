#include "sampling.h"
#include "vectormath.h"

DISPATCHED(float, nabla_best_score, (int64_t n, const float *scores), (n, scores)) {
  float nan = 0;
  for (int64_t i = 0; i < n; i++) nan += scores[i] != scores[i] ? 1.0f : 0.0f;
  return nan > 0 ? NAN : row_maximum(n, scores);
}

int64_t nabla_index_of(int64_t n, const float *scores, float value) {
  for (int64_t i = 0; i < n; i++)
    if (scores[i] == value) return i;
  return -1;
}

DISPATCHED(void, nabla_sampling_weights,
           (int64_t n, float *scores, float best, float inverseTemperature, float *sums),
           (n, scores, best, inverseTemperature, sums)) {
  for (int64_t start = 0; start < n; start += NABLA_SAMPLING_BLOCK) {
    const int64_t end = start + NABLA_SAMPLING_BLOCK < n ? start + NABLA_SAMPLING_BLOCK : n;
    float sum = 0;
    for (int64_t i = start; i < end; i++) {
      float weight = exp_float((scores[i] - best) * inverseTemperature);
      scores[i] = weight;
      sum += weight;
    }
    sums[start / NABLA_SAMPLING_BLOCK] = sum;
  }
}

DISPATCHED(int64_t, nabla_indices_at_least,
           (int64_t n, const float *x, float least, int32_t *indices, int64_t limit),
           (n, x, least, indices, limit)) {
  int64_t found = 0;
  for (int64_t start = 0; start < n; start += 64) {
    const int64_t end = start + 64 < n ? start + 64 : n;
    // Most blocks of 64 contain none, which one vector loop detects.
    int32_t any = 0;
    for (int64_t i = start; i < end; i++) any |= x[i] >= least;
    if (!any) continue;
    for (int64_t i = start; i < end; i++) {
      if (!(x[i] >= least)) continue;
      if (found < limit) indices[found] = (int32_t)i;
      found++;
    }
  }
  return found;
}
