#pragma once
#include <stdint.h>

/// The largest of n ≥ 1 logits; NaN if any logit is NaN.
float nabla_best_score(int64_t n, const float *scores);
/// The first index whose logit is `value`; -1 if there is none.
int64_t nabla_index_of(int64_t n, const float *scores, float value);
/// Logits become weights e^((logit - best) · inverseTemperature). sums[b]: the weights of the b-th block of
/// NABLA_SAMPLING_BLOCK.
enum { NABLA_SAMPLING_BLOCK = 512 };
void nabla_sampling_weights(int64_t n, float *scores, float best, float inverseTemperature, float *sums);
/// The indices of the numbers that are at least `least`, in ascending order, at most `limit` of them.
/// - Returns: how many there are, even if more than the limit.
int64_t nabla_indices_at_least(int64_t n, const float *x, float least, int32_t *indices, int64_t limit);
