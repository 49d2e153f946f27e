#include "conversion.h"
#include "kernel.h"

DISPATCHED(void, nabla_float_to_bfloat16, (int64_t n, const float *x, uint16_t *y), (n, x, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = float_to_bfloat16(x[i]);
}
DISPATCHED(void, nabla_bfloat16_to_float, (int64_t n, const uint16_t *x, float *y), (n, x, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = bfloat16_to_float(x[i]);
}

DISPATCHED(void, nabla_float_to_float16, (int64_t n, const float *x, uint16_t *y), (n, x, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = float_to_float16(x[i]);
}
DISPATCHED(void, nabla_float16_to_float, (int64_t n, const uint16_t *x, float *y), (n, x, y)) {
  for (int64_t i = 0; i < n; i++) y[i] = float16_to_float(x[i]);
}

#define CONVERT(NAME, FROM, TO)                             \
  DISPATCHED(void, NAME, (int64_t n, const FROM *x, TO *y), (n, x, y)) {\
    for (int64_t i = 0; i < n; i++) y[i] = (TO)x[i];        \
  }
CONVERT(nabla_float_to_double, float, double)
CONVERT(nabla_double_to_float, double, float)
CONVERT(nabla_int32_to_float, int32_t, float)
CONVERT(nabla_int32_to_double, int32_t, double)
CONVERT(nabla_uint8_to_float, uint8_t, float)

// A float outside the target's range is undefined in C: saturate, and NaN becomes 0.
#define CONVERT_SATURATING(NAME, FROM, TO, LOW, HIGH)       \
  DISPATCHED(void, NAME, (int64_t n, const FROM *x, TO *y), (n, x, y)) {\
    for (int64_t i = 0; i < n; i++) {                       \
      FROM v = x[i] != x[i] ? (FROM)0 : x[i];               \
      v = v < LOW ? LOW : v;                                \
      y[i] = (TO)(v > HIGH ? HIGH : v);                     \
    }                                                       \
  }
CONVERT_SATURATING(nabla_float_to_int32, float, int32_t, -2147483648.0f, 2147483520.0f)
CONVERT_SATURATING(nabla_double_to_int32, double, int32_t, -2147483648.0, 2147483647.0)
CONVERT_SATURATING(nabla_float_to_uint8, float, uint8_t, 0.0f, 255.0f)
