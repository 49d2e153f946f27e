// Vectors, and register-blocked multiplication of small matrices in cache, compiled for each
// instruction set. The including file defines WIDTH (floats a vector), MR and NR (rows and vectors of the register
// block) and has pushed its target attribute.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define STRIP (WIDTH * NR)  // columns of a register block

typedef float vec __attribute__((vector_size(WIDTH * 4)));
typedef float vec_unaligned __attribute__((vector_size(WIDTH * 4), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(WIDTH * 4)));
typedef uint32_t uvec __attribute__((vector_size(WIDTH * 4)));
typedef uint16_t hvec __attribute__((vector_size(WIDTH * 2)));
typedef uint16_t hvec_unaligned __attribute__((vector_size(WIDTH * 2), aligned(2)));
typedef float vec4 __attribute__((vector_size(16)));
typedef float vec4_unaligned __attribute__((vector_size(16), aligned(4)));

INLINE vec load(const float *x) { return *(const vec_unaligned *)x; }
INLINE void store(float *x, vec v) { *(vec_unaligned *)x = v; }
INLINE vec splat(float x) { return x - (vec){0}; }
INLINE ivec isplat(int32_t x) { return x - (ivec){0}; }
INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }

// to[c][r] = factor · from[r][c] for r < rows and c < columns, both multiples of 4, by 4 × 4 blocks in registers.
static void transpose(
    float *to, int64_t toStride, const float *from, int64_t fromStride, int64_t rows, int64_t columns, float factor) {
  for (int64_t c = 0; c < columns; c += 4) {
    for (int64_t r = 0; r < rows; r += 4) {
      const float *x = from + r * fromStride + c;
      vec4 a = *(const vec4_unaligned *)x, b = *(const vec4_unaligned *)(x + fromStride);
      vec4 e = *(const vec4_unaligned *)(x + 2 * fromStride), f = *(const vec4_unaligned *)(x + 3 * fromStride);
      vec4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ef = __builtin_shufflevector(e, f, 0, 4, 1, 5);
      vec4 AB = __builtin_shufflevector(a, b, 2, 6, 3, 7), EF = __builtin_shufflevector(e, f, 2, 6, 3, 7);
      float *y = to + c * toStride + r;
      vec4 m = factor - (vec4){0};
      *(vec4_unaligned *)y = m * __builtin_shufflevector(ab, ef, 0, 1, 4, 5);
      *(vec4_unaligned *)(y + toStride) = m * __builtin_shufflevector(ab, ef, 2, 3, 6, 7);
      *(vec4_unaligned *)(y + 2 * toStride) = m * __builtin_shufflevector(AB, EF, 0, 1, 4, 5);
      *(vec4_unaligned *)(y + 3 * toStride) = m * __builtin_shufflevector(AB, EF, 2, 3, 6, 7);
    }
  }
}

// The inner loop: acc[MR][n] += Σ_p A(m, p) · B[p][columns], with A(m, p) = a[m · rowStride + p · depthStride]. One of
// the two strides is the constant 1: rows read in order, or columns (a transposed left operand) at the same cost.
#define ACCUMULATE(N, acc, a, rowStride, depthStride, b, bStride, depth)          \
  _Pragma("clang loop unroll_count(4)") for (int64_t p_ = 0; p_ < (depth); p_++) { \
    vec b_[N];                                                                    \
    _Pragma("clang loop unroll(full)") for (int n_ = 0; n_ < N; n_++)             \
        b_[n_] = load((b) + p_ * (bStride) + n_ * WIDTH);                         \
    _Pragma("clang loop unroll(full)") for (int m_ = 0; m_ < MR; m_++) {          \
      vec a_ = splat((a)[m_ * (rowStride) + p_ * (depthStride)]);                 \
      _Pragma("clang loop unroll(full)") for (int n_ = 0; n_ < N; n_++)           \
          acc[m_][n_] += a_ * b_[n_];                                             \
    }                                                                             \
  }

INLINE void accumulateRows(
    vec acc[MR][NR], const float *a, int64_t aStride, const float *b, int64_t bStride, int64_t k) {
  ACCUMULATE(NR, acc, a, aStride, 1, b, bStride, k)
}

// c[MR][dp] = alpha · c + A B with A's columns contiguous: a[p · aStride + m]. alpha NULL means 1.
static void addTransposedProduct(
    float *c, int64_t dp, const float *alpha, const float *a, int64_t aStride, const float *b, int64_t depth) {
  int64_t d = 0;
  for (; d + STRIP <= dp; d += STRIP) {
    vec acc[MR][NR];
    for (int m = 0; m < MR; m++)
      for (int n = 0; n < NR; n++) {
        acc[m][n] = load(c + m * dp + d + n * WIDTH);
        if (alpha) acc[m][n] *= splat(alpha[m]);
      }
    ACCUMULATE(NR, acc, a, 1, aStride, b + d, dp, depth)
    for (int m = 0; m < MR; m++)
      for (int n = 0; n < NR; n++) store(c + m * dp + d + n * WIDTH, acc[m][n]);
  }
  for (; d < dp; d += WIDTH) {
    vec acc[MR][1];
    for (int m = 0; m < MR; m++) {
      acc[m][0] = load(c + m * dp + d);
      if (alpha) acc[m][0] *= splat(alpha[m]);
    }
    ACCUMULATE(1, acc, a, 1, aStride, b + d, dp, depth)
    for (int m = 0; m < MR; m++) store(c + m * dp + d, acc[m][0]);
  }
}
