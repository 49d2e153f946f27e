// Quantized dot products for AVX-512 with VNNI: one instruction multiplies and adds 64 bytes.
#if defined(__x86_64__)
#include <immintrin.h>
#include "quantized_problem.h"
// Without min_vector_width clang would split 16 floats in two, its default for this architecture.
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4,avx512vnni"), min_vector_width(512))), apply_to = function)

#define TABLE nabla_quantized_vnni
#define WIDTH 16
#define ROWS 6  // 12 integer and 12 float sums, and the weights, in 32 registers
typedef uint32_t integers __attribute__((vector_size(64)));
typedef int32_t signed_integers __attribute__((vector_size(64)));
typedef float floats __attribute__((vector_size(64)));
typedef float loose_floats __attribute__((vector_size(64), aligned(4)));

/// Four rows, `stride` apart, in the quarters of a vector.
static inline INLINED __m512i quarters(const uint8_t *x, int64_t stride) {
#define ROW(I) _mm_loadu_si128((const __m128i *)(const void *)(x + (I) * stride))
  __m512i v = _mm512_castsi128_si512(ROW(0));
  v = _mm512_mask_broadcast_i32x4(v, 0x00f0, ROW(1));
  v = _mm512_mask_broadcast_i32x4(v, 0x0f00, ROW(2));
  return _mm512_mask_broadcast_i32x4(v, 0xf000, ROW(3));
#undef ROW
}

static inline INLINED void transpose(const uint8_t *x, int64_t stride, integers y[4]) {
  // Quarter i of a holds row 4i, of b row 4i + 1, and so on: in each quarter a 4 × 4 transpose remains.
  const __m512i a = quarters(x, 4 * stride), b = quarters(x + stride, 4 * stride);
  const __m512i c = quarters(x + 2 * stride, 4 * stride), d = quarters(x + 3 * stride, 4 * stride);
  const __m512i ab0 = _mm512_unpacklo_epi32(a, b), ab1 = _mm512_unpackhi_epi32(a, b);
  const __m512i cd0 = _mm512_unpacklo_epi32(c, d), cd1 = _mm512_unpackhi_epi32(c, d);
  y[0] = (integers)_mm512_unpacklo_epi64(ab0, cd0);
  y[1] = (integers)_mm512_unpackhi_epi64(ab0, cd0);
  y[2] = (integers)_mm512_unpacklo_epi64(ab1, cd1);
  y[3] = (integers)_mm512_unpackhi_epi64(ab1, cd1);
}

static inline INLINED integers gather(const uint8_t *x, int64_t stride) {
  integers y[4];
  transpose(x, stride, y);
  return y[0];
}

static inline INLINED floats widen(integers x) { return (floats)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)x)); }

static inline INLINED integers dot(integers sum, integers w, integers x, bool wide) {
  (void)wide;
  return (integers)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}

#include "quantized_panel.h"
#pragma clang attribute pop
#endif
