// What every kernel file starts from: run-time dispatch, bfloat16, floating-point rules.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "isa.h"

/// The level that kernels use, determined before main.
extern enum nabla_isa nabla_kernel_isa __attribute__((visibility("hidden")));
/// Caps oneDNN at the level too. It must not have created anything yet.
void nabla_onednn_cap(enum nabla_isa isa);

/// For a body that several dispatched functions share: it must be compiled inside each of them.
#define INLINED __attribute__((always_inline))

/// Defines `TYPE NAME PARAMETERS`, whose body follows, once for AVX-512, once for AVX2 and once for any x86-64. A call
/// uses the variant that the level allows, which target_clones would not consult.
#define DISPATCHED(TYPE, NAME, PARAMETERS, ARGUMENTS) DISPATCHED_AS(, TYPE, NAME, PARAMETERS, ARGUMENTS)
#define DISPATCHED_STATIC(TYPE, NAME, PARAMETERS, ARGUMENTS) DISPATCHED_AS(static, TYPE, NAME, PARAMETERS, ARGUMENTS)
#if defined(__x86_64__)
#define DISPATCHED_AS(LINKAGE, TYPE, NAME, PARAMETERS, ARGUMENTS)                                                     \
  static inline INLINED TYPE NAME##_body PARAMETERS;                                                                  \
  __attribute__((target("arch=x86-64-v4"))) static TYPE NAME##_avx512 PARAMETERS { return NAME##_body ARGUMENTS; }    \
  __attribute__((target("arch=x86-64-v3"))) static TYPE NAME##_avx2 PARAMETERS { return NAME##_body ARGUMENTS; }      \
  __attribute__((noinline)) static TYPE NAME##_baseline PARAMETERS { return NAME##_body ARGUMENTS; }                  \
  LINKAGE TYPE NAME PARAMETERS {                                                                                      \
    if (nabla_kernel_isa >= NABLA_ISA_AVX512) return NAME##_avx512 ARGUMENTS;                                         \
    if (nabla_kernel_isa >= NABLA_ISA_AVX2) return NAME##_avx2 ARGUMENTS;                                             \
    return NAME##_baseline ARGUMENTS;                                                                                 \
  }                                                                                                                   \
  static inline INLINED TYPE NAME##_body PARAMETERS
#else
#define DISPATCHED_AS(LINKAGE, TYPE, NAME, PARAMETERS, ARGUMENTS) LINKAGE TYPE NAME PARAMETERS
#endif

// Let sums be reordered and fused so that loops vectorize. Infinities and NaN keep their meaning.
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

// Half precision in integer arithmetic, so that it needs no F16C (after F. Giesen, "half_to_float_fast").
static inline float float16_to_float(uint16_t h) {
  uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
  uint32_t exponent = bits & 0x0f800000u;
  bits += 112u << 23;
  float normal = bits_to_float(exponent == 0x0f800000u ? bits + (112u << 23) : bits);
  float subnormal = bits_to_float(bits + (1u << 23)) - bits_to_float(113u << 23);
  float magnitude = exponent == 0 ? subnormal : normal;
  return bits_to_float(float_to_bits(magnitude) | (uint32_t)(h & 0x8000) << 16);
}
static inline uint16_t float_to_float16(float value) {
  uint32_t bits = float_to_bits(value);
  uint32_t sign = bits & 0x80000000u;
  bits ^= sign;
  uint32_t normal = (bits + 0xc8000fffu + ((bits >> 13) & 1u)) >> 13;
  uint32_t subnormal = float_to_bits(bits_to_float(bits) + 0.5f) - 0x3f000000u;
  uint32_t half = bits < (113u << 23) ? subnormal : normal;
  half = bits >= (143u << 23) ? 0x7c00u : half;  // beyond the largest half: infinity
  half = bits > 0x7f800000u ? 0x7e00u : half;
  return (uint16_t)(half | (sign >> 16));
}
