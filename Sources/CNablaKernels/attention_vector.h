// Vectors' exponentials, conversions and loads of rows: what attention needs besides tiles.h, compiled for each
// instruction set.
#include "attention_problem.h"
#include "tiles.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float log2e = 1.44269504088896341f, ln2 = 0.693147180559945309f;

// 2^x for x ≤ 126 within 2 units in the last place; 0 below 2^-125; NaN stays NaN. x = n + f with n the nearest
// integer: the minimax polynomial of degree 5 gives 2^f, and n is added to its exponent bits.
INLINE vec exp2Vector(vec x) {
  const float smallest = -125.0f, magic = 0x1.8p23f;  // adding 1.5 · 2^23 rounds to an integer in the low bits
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

// row[d] = float(x[d]), zero up to dp.
INLINE void loadRow(float *row, int64_t dp, bool bfloat16, int64_t d, const void *x) {
  const int64_t whole = d & ~(int64_t)(WIDTH - 1);
  if (bfloat16) {
    const uint16_t *from = x;
    _Pragma("clang loop unroll_count(4)") for (int64_t c = 0; c < whole; c += WIDTH)
        store(row + c, loadBFloat16(from + c));
    for (int64_t c = whole; c < d; c++) row[c] = fromBFloat16(from[c]);
  } else {
    const float *from = x;
    _Pragma("clang loop unroll_count(4)") for (int64_t c = 0; c < whole; c += WIDTH) store(row + c, load(from + c));
    for (int64_t c = whole; c < d; c++) row[c] = from[c];
  }
  for (int64_t c = d; c < dp; c++) row[c] = 0;
}

// tile[r][d] = float(x[r][d]) for r < rows, zero up to paddedRows and dp.
static void loadTile(
    float *tile, int64_t dp, int64_t paddedRows, const problem_t *p, const void *x, int64_t timeStride, int64_t rows) {
  for (int64_t r = 0; r < rows; r++)
    loadRow(tile + r * dp, dp, p->dtype == NABLA_ATTENTION_BFLOAT16, p->headSize,
            (const char *)x + r * timeStride * (int64_t)elementSize(p));
  if (paddedRows > rows) memset(tile + rows * dp, 0, (size_t)((paddedRows - rows) * dp) * sizeof(float));
}

// Prefetches rows of x: rows of a packed buffer are pages apart, which the hardware prefetcher does not follow.
INLINE void prefetchRows(const problem_t *p, const char *x, int64_t timeStride, int64_t from, int64_t to) {
  const int64_t bytes = (int64_t)elementSize(p);
  for (int64_t r = from; r < to; r++)
    for (int64_t c = 0; c < p->headSize * bytes; c += 64) __builtin_prefetch(x + r * timeStride * bytes + c);
}

// x[r][d] = factor · tile[r][d], as bfloat16 or float32.
INLINE void storeRow(bool bfloat16, int64_t d, void *x, const float *row, float factor) {
  const int64_t whole = d & ~(int64_t)(WIDTH - 1);
  if (bfloat16) {
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
    storeRow(p->dtype == NABLA_ATTENTION_BFLOAT16, p->headSize, (char *)x + r * timeStride * (int64_t)elementSize(p),
             tile + r * dp, factor);
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
