#include "conversion.h"
#include "kernel.h"

DISPATCHED void nabla_float_to_bfloat16(int64_t n, const float *x, uint16_t *y) {
  for (int64_t i = 0; i < n; i++) y[i] = float_to_bfloat16(x[i]);
}
DISPATCHED void nabla_bfloat16_to_float(int64_t n, const uint16_t *x, float *y) {
  for (int64_t i = 0; i < n; i++) y[i] = bfloat16_to_float(x[i]);
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
DISPATCHED void nabla_float_to_float16(int64_t n, const float *x, uint16_t *y) {
  for (int64_t i = 0; i < n; i++) y[i] = float_to_float16(x[i]);
}
DISPATCHED void nabla_float16_to_float(int64_t n, const uint16_t *x, float *y) {
  for (int64_t i = 0; i < n; i++) y[i] = float16_to_float(x[i]);
}

#define CONVERT(NAME, FROM, TO)                             \
  DISPATCHED void NAME(int64_t n, const FROM *x, TO *y) {   \
    for (int64_t i = 0; i < n; i++) y[i] = (TO)x[i];        \
  }
CONVERT(nabla_float_to_double, float, double)
CONVERT(nabla_double_to_float, double, float)
CONVERT(nabla_int32_to_float, int32_t, float)
CONVERT(nabla_uint8_to_float, uint8_t, float)

// A float outside the target's range is undefined in C: saturate, and NaN becomes 0.
#define CONVERT_SATURATING(NAME, TO, LOW, HIGH)             \
  DISPATCHED void NAME(int64_t n, const float *x, TO *y) {  \
    for (int64_t i = 0; i < n; i++) {                       \
      float v = x[i] != x[i] ? 0.0f : x[i];                 \
      v = v < LOW ? LOW : v;                                \
      y[i] = (TO)(v > HIGH ? HIGH : v);                     \
    }                                                       \
  }
CONVERT_SATURATING(nabla_float_to_int32, int32_t, -2147483648.0f, 2147483520.0f)
CONVERT_SATURATING(nabla_float_to_uint8, uint8_t, 0.0f, 255.0f)
