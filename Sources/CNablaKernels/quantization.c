// Block-quantized numbers to float32 and back.
#include "quantization_blocks.h"

// The same bits as ggml's reference: sums in its order, and no fused multiply-add.
#pragma clang fp reassociate(off) contract(off)

int64_t nabla_block_size(enum nabla_block_type type) { return block_format(type).size; }
int64_t nabla_block_bytes(enum nabla_block_type type) { return block_format(type).bytes; }

/// `type` is a constant where this is called.
static inline INLINED void dequantize(enum nabla_block_type type, int64_t count, const uint8_t *x, float *y) {
  const struct block_format format = block_format(type);
  int8_t q[BLOCK_NUMBERS];
  float scale[16], minimum[16];
  for (int64_t block = 0; block < count; block++) {
    unpack_block(type, x + block * format.bytes, q, scale, minimum);
    for (int g = 0; g < format.size / format.group; g++)
      for (int i = 0; i < format.group; i++)
        y[block * format.size + g * format.group + i] = scale[g] * (float)q[g * format.group + i] - minimum[g];
  }
}

DISPATCHED(void, nabla_dequantize,
           (enum nabla_block_type type, int64_t count, const void *x, float *y), (type, count, x, y)) {
  switch (type) {
#define CASE(TYPE) \
  case TYPE: dequantize(TYPE, count, x, y); break;
    FOR_EACH_BLOCK_TYPE(CASE)
  }
}

// ---- to blocks

/// The number of largest magnitude, the first of equals.
static inline INLINED float extreme(const float *x, int n) {
  float largest = 0, value = 0;
  for (int i = 0; i < n; i++)
    if (fabsf(x[i]) > largest) largest = fabsf(x[i]), value = x[i];
  return value;
}

static inline INLINED void range(const float *x, int n, float *low, float *high) {
  *low = *high = x[0];
  for (int i = 1; i < n; i++) {
    *low = x[i] < *low ? x[i] : *low;
    *high = x[i] > *high ? x[i] : *high;
  }
}

/// Truncates to 0…limit; NaN becomes 0.
static inline INLINED uint8_t truncated(float v, int limit) {
  return (uint8_t)(v > 0 ? (v < (float)limit ? (int)v : limit) : 0);
}

/// d · (q - middle) with the number of largest magnitude at q = 0: ggml rounds in double precision, once.
static inline INLINED half symmetric(const float *x, int middle, uint8_t q[32]) {
  float d = extreme(x, 32) / (float)-middle, inverse = d != 0 ? 1 / d : 0;
  for (int i = 0; i < 32; i++)
    q[i] = truncated((float)((double)x[i] * (double)inverse + (middle + 0.5)), 2 * middle - 1);
  return float_to_float16(d);
}

/// d · q + m over the range of the numbers.
static inline INLINED half asymmetric(const float *x, int limit, uint8_t q[32], half *m) {
  float low, high;
  range(x, 32, &low, &high);
  float d = (high - low) / (float)limit, inverse = d != 0 ? 1 / d : 0;
  for (int i = 0; i < 32; i++) q[i] = truncated((x[i] - low) * inverse + 0.5f, limit);
  *m = float_to_float16(low);
  return float_to_float16(d);
}

static inline INLINED void pack_low(const uint8_t q[32], uint8_t low[16]) {
  for (int i = 0; i < 16; i++) low[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
}

static inline INLINED void pack_high(const uint8_t q[32], uint8_t high[4]) {
  uint32_t bits = 0;
  for (int i = 0; i < 32; i++) bits |= (uint32_t)(q[i] >> 4) << i;
  memcpy(high, &bits, 4);
}

/// Rounds halves away from zero.
static inline INLINED void quantize_q8_0(const float *x, struct q8_0 *b) {
  float d = fabsf(extreme(x, 32)) / 127, inverse = d != 0 ? 1 / d : 0;
  b->d = float_to_float16(d);
  for (int i = 0; i < 32; i++) {
    float v = x[i] * inverse, whole = (float)truncated(fabsf(v), 127);
    whole += fabsf(v) - whole >= 0.5f ? 1.0f : 0.0f;
    b->q[i] = (int8_t)(v < 0 ? -whole : whole);
  }
}

/// The nearest integer, ties to even, for |x| < 2²²; larger magnitudes are clamped to 4·10⁶, NaN to -4·10⁶.
static inline INLINED int nearest(float x) {
  float limited = x > -4e6f ? (x < 4e6f ? x : 4e6f) : -4e6f;
  return (int)__builtin_rintf(limited);
}
static inline INLINED int clamped(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

// The searches work on 8 groups at once, one per lane: each group's sums are still in the order of its numbers.
#define LANES 8
#pragma clang diagnostic ignored "-Wpsabi"  // Vectors are never passed: these functions are inlined.
typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

static inline INLINED lanes rounded(lanes x, float low, float high) {
  const lanes whole = __builtin_elementwise_rint(x);
  return __builtin_elementwise_max(__builtin_elementwise_min(whole, (lanes){0} + high), (lanes){0} + low);
}
static inline INLINED lanes chosen(mask condition, lanes a, lanes b) {
  return (lanes)(((mask)a & condition) | ((mask)b & ~condition));
}

/// Number i of group g of `size` to lane g of y[i].
static inline INLINED void by_lane(const float *x, int size, lanes *y) {
  for (int i = 0; i < size; i++)
    for (int g = 0; g < LANES; g++) y[i][g] = x[g * size + i];
}

/// Scale and minimum ≥ 0 of the least Σ w (scale · q - minimum - x)² with q in 0…15: for each of 21 candidate
/// roundings, the weighted least-squares solution. Large numbers weigh more.
static inline INLINED lanes fit_scale_and_minimum(const lanes x[32], lanes *minimum) {
  enum { N = 32, LIMIT = 15 };
  lanes w[N], squares = {0}, low = x[0], high = x[0], sumW = {0}, sumX = {0};
  for (int i = 0; i < N; i++) squares += x[i] * x[i];
  const lanes mean = __builtin_elementwise_sqrt(squares / N);
  for (int i = 0; i < N; i++) {
    w[i] = mean + __builtin_elementwise_abs(x[i]);
    low = __builtin_elementwise_min(low, x[i]);
    high = __builtin_elementwise_max(high, x[i]);
    sumW += w[i];
    sumX += w[i] * x[i];
  }
  low = __builtin_elementwise_min(low, (lanes){0});
  const mask some = high > low;
  const lanes plain = LIMIT / (high - low);
  lanes scale = 1 / plain, offset = low, error = {0};
  for (int i = 0; i < N; i++) {
    lanes difference = scale * rounded(plain * (x[i] - low), 0, LIMIT) + low - x[i];
    error += w[i] * (difference * difference);
  }
  for (int attempt = 0; attempt <= 20; attempt++) {
    const lanes inverse = (-1.0f + 0.1f * (float)attempt + LIMIT) / (high - offset);
    lanes q[N], sumQ = {0}, sumQQ = {0}, sumQX = {0};
    for (int i = 0; i < N; i++) {
      q[i] = rounded(inverse * (x[i] - offset), 0, LIMIT);
      sumQ += w[i] * q[i];
      sumQQ += w[i] * q[i] * q[i];
      sumQX += w[i] * q[i] * x[i];
    }
    const lanes determinant = sumW * sumQQ - sumQ * sumQ;
    lanes newScale = (sumW * sumQX - sumX * sumQ) / determinant;
    lanes newOffset = (sumQQ * sumX - sumQ * sumQX) / determinant;
    const mask above = newOffset > 0;
    newScale = chosen(above, sumQX / sumQQ, newScale);
    newOffset = chosen(above, (lanes){0}, newOffset);
    lanes newError = {0};
    for (int i = 0; i < N; i++) {
      lanes difference = newScale * q[i] + newOffset - x[i];
      newError += w[i] * (difference * difference);
    }
    const mask better = (determinant > 0) & (newError < error);
    error = chosen(better, newError, error);
    scale = chosen(better, newScale, scale);
    offset = chosen(better, newOffset, offset);
  }
  *minimum = -chosen(some, offset, low);
  return chosen(some, scale, (lanes){0});
}

static inline INLINED void quantize_q4_K(const float *x, struct q4_K *b) {
  float scales[8], minima[8], largestScale = 0, largestMinimum = 0;
  lanes columns[32], minimum;
  by_lane(x, 32, columns);
  const lanes scale = fit_scale_and_minimum(columns, &minimum);
  memcpy(scales, &scale, sizeof scales);
  memcpy(minima, &minimum, sizeof minima);
  for (int g = 0; g < 8; g++) {
    largestScale = scales[g] > largestScale ? scales[g] : largestScale;
    largestMinimum = minima[g] > largestMinimum ? minima[g] : largestMinimum;
  }
  float inverseScale = largestScale > 0 ? 63 / largestScale : 0;
  float inverseMinimum = largestMinimum > 0 ? 63 / largestMinimum : 0;
  b->d = float_to_float16(largestScale / 63);
  b->dmin = float_to_float16(largestMinimum / 63);
  float d = float16_to_float(b->d), dmin = float16_to_float(b->dmin);
  uint8_t q[256];
  memset(b->scales, 0, sizeof b->scales);
  for (int g = 0; g < 8; g++) {
    uint8_t s = (uint8_t)clamped(nearest(inverseScale * scales[g]), 0, 63);
    uint8_t m = (uint8_t)clamped(nearest(inverseMinimum * minima[g]), 0, 63);
    if (g < 4) {
      b->scales[g] = s;
      b->scales[g + 4] = m;
    } else {
      b->scales[g + 4] = (uint8_t)((s & 15) | (m & 15) << 4);
      b->scales[g - 4] |= (uint8_t)(s >> 4 << 6);
      b->scales[g] |= (uint8_t)(m >> 4 << 6);
    }
    // Round again, with the scales as stored.
    float scale = d * (float)s, minimum = dmin * (float)m;
    for (int i = 0; i < 32; i++)
      q[g * 32 + i] = scale != 0 ? (uint8_t)clamped(nearest((x[g * 32 + i] + minimum) / scale), 0, 15) : 0;
  }
  for (int pair = 0; pair < 4; pair++)
    for (int i = 0; i < 32; i++) b->low[pair * 32 + i] = (uint8_t)(q[pair * 64 + i] | q[pair * 64 + 32 + i] << 4);
}

/// The scale of the least Σ x² (scale · q - x)² with q in -32…31: for each of 19 candidate roundings, the least-squares
/// one.
static inline INLINED lanes fit_scale(const lanes x[16]) {
  enum { N = 16, LIMIT = 32 };
  lanes most = {0};
  for (int i = 0; i < N; i++)
    most = chosen(__builtin_elementwise_abs(x[i]) > __builtin_elementwise_abs(most), x[i], most);
  lanes scale = {0}, best = {0};
  for (int attempt = 0; attempt < 19; attempt++) {
    // 0 first, as the others must beat it; then -9…9.
    const int step = attempt == 0 ? 0 : attempt <= 9 ? attempt - 10 : attempt - 9;
    const lanes inverse = -((float)LIMIT + 0.1f * (float)step) / most;
    lanes sumQX = {0}, sumQQ = {0};
    for (int i = 0; i < N; i++) {
      const lanes q = rounded(inverse * x[i], -LIMIT, LIMIT - 1), w = x[i] * x[i];
      sumQX += w * x[i] * q;
      sumQQ += w * q * q;
    }
    mask better = sumQX * sumQX > best * sumQQ;
    if (attempt == 0) better |= ~better;
    better &= sumQQ > 0;
    scale = chosen(better, sumQX / sumQQ, scale);
    best = chosen(better, scale * sumQX, best);
  }
  return chosen(__builtin_elementwise_abs(most) >= 1e-15f, scale, (lanes){0});
}

static inline INLINED void quantize_q6_K(const float *x, struct q6_K *b) {
  float scales[16];
  for (int part = 0; part < 2; part++) {
    lanes columns[16];
    by_lane(x + part * 128, 16, columns);
    const lanes fitted = fit_scale(columns);
    memcpy(scales + part * LANES, &fitted, sizeof fitted);
  }
  float most = extreme(scales, 16);
  if (!(fabsf(most) >= 1e-15f)) {
    memset(b, 0, sizeof *b);
    return;
  }
  float inverse = -128 / most;
  b->d = float_to_float16(1 / inverse);
  float d = float16_to_float(b->d);
  uint8_t q[256];
  for (int g = 0; g < 16; g++) {
    b->scales[g] = (int8_t)clamped(nearest(inverse * scales[g]), -128, 127);
    float scale = d * (float)b->scales[g];
    for (int i = 0; i < 16; i++)
      q[g * 16 + i] = (uint8_t)(32 + (scale != 0 ? clamped(nearest(x[g * 16 + i] / scale), -32, 31) : 0));
  }
  for (int part = 0; part < 2; part++)
    for (int i = 0; i < 32; i++) {
      const uint8_t *run = q + part * 128 + i;
      b->low[part * 64 + i] = (uint8_t)((run[0] & 15) | (run[64] & 15) << 4);
      b->low[part * 64 + 32 + i] = (uint8_t)((run[32] & 15) | (run[96] & 15) << 4);
      b->high[part * 32 + i] = (uint8_t)(run[0] >> 4 | run[32] >> 4 << 2 | run[64] >> 4 << 4 | run[96] >> 4 << 6);
    }
}

DISPATCHED(int32_t, nabla_quantize,
           (enum nabla_block_type type, int64_t count, const float *x, void *y), (type, count, x, y)) {
  uint8_t q[32];
  for (int64_t i = 0; i < count; i++) {
    switch (type) {
      case NABLA_Q4_0: {
        struct q4_0 *b = (struct q4_0 *)y + i;
        b->d = symmetric(x + i * 32, 8, q);
        pack_low(q, b->low);
        break;
      }
      case NABLA_Q4_1: {
        struct q4_1 *b = (struct q4_1 *)y + i;
        b->d = asymmetric(x + i * 32, 15, q, &b->m);
        pack_low(q, b->low);
        break;
      }
      case NABLA_Q5_0: {
        struct q5_0 *b = (struct q5_0 *)y + i;
        b->d = symmetric(x + i * 32, 16, q);
        pack_low(q, b->low);
        pack_high(q, b->high);
        break;
      }
      case NABLA_Q5_1: {
        struct q5_1 *b = (struct q5_1 *)y + i;
        b->d = asymmetric(x + i * 32, 31, q, &b->m);
        pack_low(q, b->low);
        pack_high(q, b->high);
        break;
      }
      case NABLA_Q8_0: quantize_q8_0(x + i * 32, (struct q8_0 *)y + i); break;
      case NABLA_Q4_K: quantize_q4_K(x + i * 256, (struct q4_K *)y + i); break;
      case NABLA_Q6_K: quantize_q6_K(x + i * 256, (struct q6_K *)y + i); break;
      default: return 0;
    }
  }
  return 1;
}
