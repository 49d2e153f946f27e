#pragma once
#include <stdint.h>

/// Philox4x32-10 (Salmon et al. 2011): block i is a pure function of (key, counter + i), so any thread may make any
/// part. Element e of a fill comes from word e mod 4 of block counter + e/4.
void nabla_philox(uint64_t key, uint64_t stream, uint64_t counter, int64_t words, uint32_t *out);
/// Uniform in [0, 1), multiples of 2⁻²⁴. `first` is a multiple of 4: the range [first, first + n) of a fill.
void nabla_random_uniform(uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, float *y);
/// Standard normal by Box-Muller; pairs of words make pairs of numbers.
void nabla_random_normal(uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, float *y);
/// Integers in [0, bound), one word an element; bound ≥ 1.
void nabla_random_integers(uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, uint32_t bound,
                           int32_t *y);
/// Dropout: y = keep ? x / (1 - p) : 0, one word an element; the backward calls it again with dy for x.
void nabla_dropout(uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, float p, const float *x,
                   float *y);
