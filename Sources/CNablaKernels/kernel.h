// What every kernel file starts from: run-time dispatch, bfloat16, floating-point rules.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

/// Compiles the function once for AVX-512, once for AVX2 and once for any x86-64, and picks at load time.
#if defined(__x86_64__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

/// For a body that several dispatched functions share: it must be compiled inside each of them. A dispatched function
/// must not share its name with a struct or enum tag: clang 21 crashes on it.
#define INLINED __attribute__((always_inline))

// Let sums be reordered and fused so that loops vectorise. Infinities and NaN keep their meaning.
#pragma clang fp reassociate(on) contract(fast)

static inline float bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
static inline uint32_t float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}
static inline float bfloat16_to_float(uint16_t value) { return bits_to_float((uint32_t)value << 16); }
/// Rounds to nearest, ties to even; NaN stays NaN.
static inline uint16_t float_to_bfloat16(float value) {
  uint32_t bits = float_to_bits(value);
  uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return (uint16_t)(value != value ? 0x7fc0u : rounded);
}
