#include "scaling.h"

#include "kernel.h"

static inline double bits_to_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  return value;
}
static inline uint64_t double_to_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

/// eˣ, error below 2 ulp; x below -708 counts as -708, above 709 as 709.
///
/// x = k ln 2 + r with |r| ≤ ½ ln 2; eʳ is its Taylor series to the twelfth power, and k goes into the exponent's bits.
/// Rounding goes through an int: at every level there are vector instructions for that. The series is summed as a tree
/// (Estrin), since the latency of a chain of thirteen multiply-adds would dominate.
static inline INLINED double exp_double(double x) {
#pragma clang fp reassociate(off)
  x = x < -708.0 ? -708.0 : x;
  x = x > 709.0 ? 709.0 : x;
  double scaled = x * 1.442695040888963407;
  int32_t n = (int32_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
  double k = (double)n;
  double r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
  double r2 = r * r, r4 = r2 * r2;
  double low = (r + 1) + (r * (1.0 / 6) + 0.5) * r2;
  double middle = (r * (1.0 / 120) + 1.0 / 24) + (r * (1.0 / 5040) + 1.0 / 720) * r2;
  double high = (r * (1.0 / 362880) + 1.0 / 40320) + (r * (1.0 / 39916800) + 1.0 / 3628800) * r2 + r4 * (1.0 / 479001600);
  double p = low + (middle + high * r4) * r4;
  return bits_to_double(double_to_bits(p) + ((uint64_t)(int64_t)n << 52));
}

/// ln x of a positive normal number, error below 3 ulp.
///
/// x = 2^k m with m in √½..<√2; ln m = 2 artanh((m - 1) / (m + 1)) by its series.
static inline INLINED double log_double(double x) {
#pragma clang fp reassociate(off)
  const uint64_t offset = 1023ull << 52;
  uint64_t bits = double_to_bits(x);
  uint64_t exponent = (bits - 0x3fe6a09e667f3bcdull + offset) >> 52;
  double m = bits_to_double(bits - (exponent << 52) + offset);
  // 2⁵² plus the biased exponent, written as bits, less both.
  double k = bits_to_double(exponent | 0x4330000000000000ull) - (0x1p52 + 1023);
  double s = (m - 1) / (m + 1);
  double z = s * s;
  double z2 = z * z, z4 = z2 * z2;
  double low = (z * (1.0 / 5) + 1.0 / 3) + (z * (1.0 / 9) + 1.0 / 7) * z2;
  double high = (z * (1.0 / 13) + 1.0 / 11) + (z * (1.0 / 17) + 1.0 / 15) * z2 + (z * (1.0 / 21) + 1.0 / 19) * z4;
  double p = low + high * z4;
  return k * 0.693147180369123816490 + (s + s + ((s + s) * z * p + k * 1.90821492927058770002e-10));
}

DISPATCHED(void, nabla_exp_double, (const double *x, int64_t count, double *result), (x, count, result)) {
  for (int64_t i = 0; i < count; ++i) result[i] = exp_double(x[i]);
}

DISPATCHED(void, nabla_log_double, (const double *x, int64_t count, double *result), (x, count, result)) {
  for (int64_t i = 0; i < count; ++i) result[i] = log_double(x[i]);
}

DISPATCHED(double, nabla_law_objective,
           (const struct nabla_law_points *points, const double *x, double delta, int32_t stable, double *gradient),
           (points, x, delta, stable, gradient)) {
  const double *restrict sizes = points->sizes, *restrict lengths = points->lengths;
  const double *restrict losses = points->losses, *restrict weights = points->weights;
  const int64_t count = points->count;
  const double x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4];
  double value = 0, ga = 0, ga1 = 0, gb = 0, gb1 = 0, ge = 0;
  if (!stable) {
    const double e = exp_double(x4);
    for (int64_t i = 0; i < count; ++i) {
      double u = sizes[i], v = lengths[i];
      double p = exp_double(x0 - x1 * u), q = exp_double(x2 - x3 * v);
      double sum = p + q + e;
      double r = log_double(sum) - losses[i];
      double clipped = r > delta ? delta : r < -delta ? -delta : r;
      double weighted = weights[i] * clipped;
      value += weighted * (r - 0.5 * clipped);
      double share = weighted / sum;
      double sa = share * p, sb = share * q;
      ga += sa;
      ga1 -= sa * u;
      gb += sb;
      gb1 -= sb * v;
      ge += share;
    }
    ge *= e;
  } else {
    for (int64_t i = 0; i < count; ++i) {
      double u = sizes[i], v = lengths[i];
      double a = x0 - x1 * u, b = x2 - x3 * v;
      double largest = a > b ? a : b;
      largest = largest > x4 ? largest : x4;
      double p = exp_double(a - largest), q = exp_double(b - largest), e = exp_double(x4 - largest);
      double sum = p + q + e;
      double r = largest + log_double(sum) - losses[i];
      double clipped = r > delta ? delta : r < -delta ? -delta : r;
      double weighted = weights[i] * clipped;
      value += weighted * (r - 0.5 * clipped);
      double share = weighted / sum;
      double sa = share * p, sb = share * q;
      ga += sa;
      ga1 -= sa * u;
      gb += sb;
      gb1 -= sb * v;
      ge += share * e;
    }
  }
  gradient[0] = ga;
  gradient[1] = ga1;
  gradient[2] = gb;
  gradient[3] = gb1;
  gradient[4] = ge;
  return value;
}
