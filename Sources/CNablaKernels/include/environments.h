#pragma once
#include <stdbool.h>
#include <stdint.h>

/// One step of `count` of `stride` CartPole-v1 environments from `first` on. state: [4, stride] float64, rows x, ẋ, θ,
/// θ̇; actions: [stride], 1 pushes right and anything else left; observations: [stride, 4]; terminated: [stride].
void nabla_cartpole_step(int64_t first, int64_t count, int64_t stride, double *state, const int32_t *actions,
                         float *observations, bool *terminated);

/// The bookkeeping of a step of n episodes, for any environment: adds rewards to returns, counts lengths,
/// and sets `truncated` where the length reaches `limit`. Returns how many episodes ended; `bad` counts non-finite
/// rewards.
int64_t nabla_advance_episodes(int64_t n, int32_t limit, const float *rewards, const bool *terminated, bool *truncated,
                               double *returns, int32_t *lengths, int64_t *bad);
