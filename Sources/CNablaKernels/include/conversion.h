#pragma once
#include <stdint.h>

/// Conversions of `n` elements. To bfloat16 and float16: round to nearest, ties to even.
void nabla_float_to_bfloat16(int64_t n, const float *x, uint16_t *y);
void nabla_bfloat16_to_float(int64_t n, const uint16_t *x, float *y);
void nabla_float_to_float16(int64_t n, const float *x, uint16_t *y);
void nabla_float16_to_float(int64_t n, const uint16_t *x, float *y);
void nabla_float_to_double(int64_t n, const float *x, double *y);
void nabla_double_to_float(int64_t n, const double *x, float *y);
void nabla_float_to_int32(int64_t n, const float *x, int32_t *y);
void nabla_int32_to_float(int64_t n, const int32_t *x, float *y);
void nabla_double_to_int32(int64_t n, const double *x, int32_t *y);
void nabla_int32_to_double(int64_t n, const int32_t *x, double *y);
void nabla_float_to_uint8(int64_t n, const float *x, uint8_t *y);
void nabla_uint8_to_float(int64_t n, const uint8_t *x, float *y);
