// Branch-free elementary functions that the compiler vectorizes: errors are a few units in the last place.
#pragma once
#include "kernel.h"

/// eˣ. Cody-Waite reduction x = n·ln 2 + r, |r| ≤ ln 2 / 2, then a degree-6 polynomial; error below 2 ulp.
/// Underflows to 0 below -87.3 and overflows to infinity above 88.7.
static inline float exp_float(float x) {
  float clamped = x < -87.33654f ? -87.33654f : x;
  clamped = clamped > 88.72283f ? 88.72283f : clamped;
  float n = __builtin_rintf(clamped * 1.44269504f);
  n = n > 127.0f ? 127.0f : n;
  float r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  float y = p * bits_to_float((uint32_t)((int32_t)n + 127) << 23);
  y = x < -87.33654f ? 0.0f : y;
  y = x > 88.72283f ? INFINITY : y;
  return x != x ? x : y;
}

/// ln x, after Cephes logf: error below 2 ulp. ln 0 = -inf, ln of a negative number is NaN.
static inline float log_float(float x) {
  float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;
  uint32_t bits = float_to_bits(scaled);
  float e = (float)((int32_t)(bits >> 23) - 126) - (x < 1.17549435e-38f ? 23.0f : 0.0f);
  float m = bits_to_float((bits & 0x007fffffu) | 0x3f000000u);
  float below = m < 0.707106781f ? 1.0f : 0.0f;
  e = e - below;
  m = m + below * m - 1.0f;
  float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float y = p * m * z + e * -2.12194440e-4f - 0.5f * z + m + e * 0.693359375f;
  y = x == 0.0f ? -INFINITY : y;
  y = x < 0.0f ? NAN : y;
  y = x == INFINITY ? INFINITY : y;
  return x != x ? x : y;
}

/// tanh x as a ratio of polynomials on [-7.9, 7.9] (the minimax fit that Eigen uses), exactly ±1 beyond (4 ulp off at
/// most there): a factor 1 - tanh x must vanish, however large what it multiplies.
static inline float tanh_float(float x) {
  float c = x < -7.90531110763549805f ? -7.90531110763549805f : x;
  c = c > 7.90531110763549805f ? 7.90531110763549805f : c;
  float s = c * c;
  float p = -2.76076847742355e-16f;
  p = p * s + 2.00018790482477e-13f;
  p = p * s - 8.60467152213735e-11f;
  p = p * s + 5.12229709037114e-08f;
  p = p * s + 1.48572235717979e-05f;
  p = p * s + 6.37261928875436e-04f;
  p = p * s + 4.89352455891786e-03f;
  float q = 1.19825839466702e-06f;
  q = q * s + 1.18534705686654e-04f;
  q = q * s + 2.26843463243900e-03f;
  q = q * s + 4.89352518554385e-03f;
  float y = c * p / q;
  y = x > 7.90531110763549805f ? 1.0f : y;
  y = x < -7.90531110763549805f ? -1.0f : y;
  return x != x ? x : y;
}

/// erf x as a ratio of polynomials on [-4, 4] (the minimax fit that XLA uses), exactly ±1 beyond.
static inline float erf_float(float x) {
  float c = x < -4.0f ? -4.0f : x;
  c = c > 4.0f ? 4.0f : c;
  float s = c * c;
  float p = -2.72614225801306e-10f;
  p = p * s + 2.77068142495902e-08f;
  p = p * s - 2.10102402082508e-06f;
  p = p * s - 5.69250639462346e-05f;
  p = p * s - 7.34990630326855e-04f;
  p = p * s - 2.95459980854025e-03f;
  p = p * s - 1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * s - 2.13374055278905e-04f;
  q = q * s - 1.68282697438203e-03f;
  q = q * s - 7.37332916720468e-03f;
  q = q * s - 1.42647390514189e-02f;
  float y = c * p / q;
  y = x > 4.0f ? 1.0f : y;
  y = x < -4.0f ? -1.0f : y;
  return x != x ? x : y;
}

static inline float sigmoid_float(float x) { return 1.0f / (1.0f + exp_float(-x)); }
/// ln(1 + eˣ) without overflow: max(x, 0) + ln(1 + e^-|x|).
static inline float softplus_float(float x) {
  float e = exp_float(-fabsf(x));
  // ln(1 + e) loses e's low bits when e is small; the correction term restores them (Higham, "log1p").
  float u = 1.0f + e;
  float l = u == 1.0f ? e : log_float(u) * (e / (u - 1.0f));
  return (x > 0.0f ? x : 0.0f) + l;
}

/// The largest of n values; NaN does not count. Lane by lane, since the compiler does not vectorize a plain maximum
/// without being told that there is no NaN.
static inline INLINED float row_maximum(int64_t n, const float *x) {
  float lanes[16];
  for (int j = 0; j < 16; j++) lanes[j] = -INFINITY;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; j++) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  float m = -INFINITY;
  for (int j = 0; j < 16; j++) m = lanes[j] > m ? lanes[j] : m;
  for (; i < n; i++) m = x[i] > m ? x[i] : m;
  return m;
}
