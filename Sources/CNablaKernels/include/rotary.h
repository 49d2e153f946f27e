#pragma once
#include <stdint.h>

/// Rotary position embedding (Su et al. 2021) of `heads` heads of size `size` at one position, from x to y (they
/// may be the same). cosine and sine: [rotated/2]; the first `rotated` dimensions of each head are rotated.
/// Pair i is (i, i + rotated/2), or (2i, 2i+1) if `interleaved`. `direction` is 1, or -1 to rotate back (the gradient).
void nabla_rotary(int64_t heads, int64_t size, int64_t rotated, int32_t interleaved, const float *cosine,
                  const float *sine, float direction, const float *x, float *y);
void nabla_rotary_bfloat16(int64_t heads, int64_t size, int64_t rotated, int32_t interleaved, const float *cosine,
                           const float *sine, float direction, const uint16_t *x, uint16_t *y);
