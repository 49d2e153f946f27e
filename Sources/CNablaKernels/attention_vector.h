// Vectors, tiles and the register-blocked product: the part of the attention kernels that each instruction set compiles
// for itself. The including file defines WIDTH (floats a vector), MR and NR (rows and vectors of the register block)
// and has pushed its target attribute.
#include "attention_problem.h"
#include <math.h>
#include <stdlib.h>
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

static const float log2e = 1.44269504088896341f, ln2 = 0.693147180559945309f;

// 2^x for x ≤ 126 within 2 units in the last place; 0 below 2^-125; NaN stays NaN. x = n + f with n the nearest whole
// number: the minimax polynomial of degree 5 gives 2^f, and n is added to its exponent bits.
INLINE vec exp2Vector(vec x) {
  const float smallest = -125.0f, magic = 0x1.8p23f;  // adding 1.5 · 2^23 rounds to a whole number in the low bits
  vec t = x + splat(magic);
  vec f = x - (t - splat(magic));
  vec p = splat(0x1.5c08e6p-10f);
  p = p * f + splat(0x1.3d0c60p-7f);
  p = p * f + splat(0x1.c6b6e6p-5f);
  p = p * f + splat(0x1.ebf918p-3f);
  p = p * f + splat(0x1.62e428p-1f);
  p = p * f + splat(0x1.000002p0f);
  vec y = (vec)((ivec)p + ((ivec)t << 23));
  return choose(x < splat(smallest), splat(0), y);
}

INLINE float fromBFloat16(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy(&y, &bits, 4);
  return y;
}
INLINE uint16_t toBFloat16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if (x != x) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

INLINE vec loadBFloat16(const uint16_t *x) {
  hvec h = *(const hvec_unaligned *)x;
  return (vec)(__builtin_convertvector(h, uvec) << 16);
}
// Rounds to nearest, ties to even; NaN stays a quiet NaN.
INLINE void storeBFloat16(uint16_t *x, vec v) {
  uvec bits = (uvec)v;
  uvec rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uvec nan = bits >> 16 | 0x40;
  ivec isNaN = v != v;
  uvec y = ((uvec)isNaN & nan) | (~(uvec)isNaN & rounded);
  *(hvec_unaligned *)x = __builtin_convertvector(y, hvec);
}

// tile[r][d] = float(x[r][d]) for r < rows, zero up to paddedRows and dp.
static void loadTile(
    float *tile, int64_t dp, int64_t paddedRows, const problem_t *p, const void *x, int64_t timeStride, int64_t rows) {
  const int64_t d = p->headSize, whole = d & ~(int64_t)(WIDTH - 1);
  for (int64_t r = 0; r < rows; r++) {
    float *to = tile + r * dp;
    if (p->dtype == NABLA_ATTENTION_BFLOAT16) {
      const uint16_t *from = (const uint16_t *)x + r * timeStride;
      _Pragma("clang loop unroll_count(4)") for (int64_t c = 0; c < whole; c += WIDTH)
          store(to + c, loadBFloat16(from + c));
      for (int64_t c = whole; c < d; c++) to[c] = fromBFloat16(from[c]);
    } else {
      const float *from = (const float *)x + r * timeStride;
      _Pragma("clang loop unroll_count(4)") for (int64_t c = 0; c < whole; c += WIDTH) store(to + c, load(from + c));
      for (int64_t c = whole; c < d; c++) to[c] = from[c];
    }
    for (int64_t c = d; c < dp; c++) to[c] = 0;
  }
  if (paddedRows > rows) memset(tile + rows * dp, 0, (size_t)((paddedRows - rows) * dp) * sizeof(float));
}

// Asks for rows of x ahead of their use: rows of a packed buffer lie pages apart, where the hardware does not look.
INLINE void prefetchRows(const problem_t *p, const char *x, int64_t timeStride, int64_t from, int64_t to) {
  const int64_t bytes = (int64_t)elementSize(p);
  for (int64_t r = from; r < to; r++)
    for (int64_t c = 0; c < p->headSize * bytes; c += 64) __builtin_prefetch(x + r * timeStride * bytes + c);
}

// x[r][d] = factor · tile[r][d] in the problem's dtype.
INLINE void storeRow(const problem_t *p, void *x, const float *row, float factor) {
  const int64_t d = p->headSize, whole = d & ~(int64_t)(WIDTH - 1);
  if (p->dtype == NABLA_ATTENTION_BFLOAT16) {
    uint16_t *to = x;
    for (int64_t c = 0; c < whole; c += WIDTH) storeBFloat16(to + c, load(row + c) * splat(factor));
    for (int64_t c = whole; c < d; c++) to[c] = toBFloat16(row[c] * factor);
  } else {
    float *to = x;
    for (int64_t c = 0; c < whole; c += WIDTH) store(to + c, load(row + c) * splat(factor));
    for (int64_t c = whole; c < d; c++) to[c] = row[c] * factor;
  }
}
static void storeTile(
    const problem_t *p, void *x, int64_t timeStride, const float *tile, int64_t dp, int64_t rows, float factor) {
  for (int64_t r = 0; r < rows; r++)
    storeRow(p, (char *)x + r * timeStride * (int64_t)elementSize(p), tile + r * dp, factor);
}

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

// The heart: acc[MR][n] += Σ_p A(m, p) · B[p][columns], with A(m, p) = a[m · rowStride + p · depthStride]. One of the
// two strides is the constant 1: rows read as they lie, or columns (a transposed left operand) at the same cost.
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

// c[MR][dp] = (add ? c : 0) + A B with A's rows contiguous: a[m · aStride + p].
static void addProduct(float *c, int64_t dp, bool add, const float *a, int64_t aStride, const float *b, int64_t depth) {
  int64_t d = 0;
  for (; d + STRIP <= dp; d += STRIP) {
    vec acc[MR][NR] = {0};
    ACCUMULATE(NR, acc, a, aStride, 1, b + d, dp, depth)
    for (int m = 0; m < MR; m++)
      for (int n = 0; n < NR; n++) {
        float *to = c + m * dp + d + n * WIDTH;
        store(to, add ? load(to) + acc[m][n] : acc[m][n]);
      }
  }
  for (; d < dp; d += WIDTH) {
    vec acc[MR][1] = {0};
    ACCUMULATE(1, acc, a, aStride, 1, b + d, dp, depth)
    for (int m = 0; m < MR; m++) {
      float *to = c + m * dp + d;
      store(to, add ? load(to) + acc[m][0] : acc[m][0]);
    }
  }
}
