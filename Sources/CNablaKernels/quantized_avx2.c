// Quantized dot products for x86-64-v3.
#if defined(__x86_64__)
#include <immintrin.h>
#include "quantized_problem.h"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)

#define TABLE nabla_quantized_avx2
#define WIDTH 8
#define ROWS 2  // 4 integer and 4 float sums, and the weights, in 16 registers
typedef uint32_t integers __attribute__((vector_size(32)));
typedef int32_t signed_integers __attribute__((vector_size(32)));
typedef float floats __attribute__((vector_size(32)));
typedef float loose_floats __attribute__((vector_size(32), aligned(4)));

static inline INLINED __m256i halves(const uint8_t *x, int64_t stride) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)x)),
                                 _mm_loadu_si128((const __m128i *)(const void *)(x + stride)), 1);
}

static inline INLINED void transpose(const uint8_t *x, int64_t stride, integers y[4]) {
  // Rows i and i + 4 in the halves of a vector: in each half a 4 × 4 transpose remains.
  const __m256i a = halves(x, 4 * stride), b = halves(x + stride, 4 * stride);
  const __m256i c = halves(x + 2 * stride, 4 * stride), d = halves(x + 3 * stride, 4 * stride);
  const __m256i ab0 = _mm256_unpacklo_epi32(a, b), ab1 = _mm256_unpackhi_epi32(a, b);
  const __m256i cd0 = _mm256_unpacklo_epi32(c, d), cd1 = _mm256_unpackhi_epi32(c, d);
  y[0] = (integers)_mm256_unpacklo_epi64(ab0, cd0);
  y[1] = (integers)_mm256_unpackhi_epi64(ab0, cd0);
  y[2] = (integers)_mm256_unpacklo_epi64(ab1, cd1);
  y[3] = (integers)_mm256_unpackhi_epi64(ab1, cd1);
}

static inline INLINED integers gather(const uint8_t *x, int64_t stride) {
  uint32_t lanes[8];
  for (int l = 0; l < 8; l++) memcpy(&lanes[l], x + l * stride, 4);
  integers v;
  memcpy(&v, lanes, sizeof v);
  return v;
}

static inline INLINED floats widen(integers x) {
  const __m256i low = _mm256_and_si256((__m256i)x, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  return (floats)_mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

static inline INLINED integers dot(integers sum, integers w, integers x, bool wide) {
  __m256i pairs;
  if (!wide) {
    // Two products of at most 63 · 127 fit 16 bits.
    pairs = _mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)w, (__m256i)x), _mm256_set1_epi16(1));
  } else {
    const __m256i even = _mm256_and_si256((__m256i)w, _mm256_set1_epi16(0xff)), odd = _mm256_srli_epi16((__m256i)w, 8);
    const __m256i xEven = _mm256_srai_epi16(_mm256_slli_epi16((__m256i)x, 8), 8), xOdd = _mm256_srai_epi16((__m256i)x, 8);
    pairs = _mm256_add_epi32(_mm256_madd_epi16(even, xEven), _mm256_madd_epi16(odd, xOdd));
  }
  return (integers)_mm256_add_epi32((__m256i)sum, pairs);
}

#include "quantized_panel.h"
#pragma clang attribute pop
#endif
