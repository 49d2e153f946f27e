// Pages of a key-value cache: written as positions come, read back when a longer prompt continues them.
#include "attention_problem.h"
#include "kernel.h"

int64_t nabla_cache_head_bytes(enum nabla_cache_type type, int32_t headSize) {
  return cacheHeadLayout(type, headSize).bytes;
}

static inline float numberAt(bool bfloat16, const void *x, int64_t i) {
  return bfloat16 ? bfloat16_to_float(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

/// The scale of `size` numbers stored as int8, and its reciprocal.
static inline float int8_scale(bool bfloat16, const void *x, int64_t start, int64_t size, float *reciprocal) {
  float most = 0;
  for (int64_t i = 0; i < size; i++) {
    float magnitude = fabsf(numberAt(bfloat16, x, start + i));
    // A NaN must not be lost: it makes the scale NaN, and with it every value.
    most = magnitude > most || magnitude != magnitude ? magnitude : most;
  }
  *reciprocal = most > 0 ? 127.0f / most : 0.0f;
  return most / 127.0f;
}
static inline int8_t to_int8(float x, float reciprocal) { return (int8_t)__builtin_rintf(x == x ? x * reciprocal : 0); }

#define CACHE_WRITE(NAME, BFLOAT16, TYPE, STORE)                                                                   \
  DISPATCHED_STATIC(void, NAME,                                                                                    \
                    (int64_t d, int64_t dp, int64_t rows, const void *k, const void *v, int64_t start,             \
                     int64_t rowStride, TYPE *keys, TYPE *values, float *scales, int64_t slot),                    \
                    (d, dp, rows, k, v, start, rowStride, keys, values, scales, slot)) {                           \
    float kr[NABLA_CACHE_PAGE], vr = 1;                                                                            \
    (void)vr;                                                                                                      \
    (void)kr;                                                                                                      \
    if (sizeof(TYPE) == 1)                                                                                         \
      for (int64_t t = 0; t < rows; t++)                                                                           \
        scales[slot + t] = int8_scale(BFLOAT16, k, start + t * rowStride, d, &kr[t]);                              \
    for (int64_t i = 0; i < d; i++)                                                                                \
      for (int64_t t = 0; t < rows; t++)                                                                           \
        keys[i * NABLA_CACHE_PAGE + slot + t] = STORE(numberAt(BFLOAT16, k, start + t * rowStride + i), kr[t]);    \
    for (int64_t t = 0; t < rows; t++) {                                                                           \
      TYPE *to = values + (slot + t) * dp;                                                                         \
      const int64_t from = start + t * rowStride;                                                                  \
      if (sizeof(TYPE) == 1) scales[NABLA_CACHE_PAGE + slot + t] = int8_scale(BFLOAT16, v, from, d, &vr);          \
      for (int64_t i = 0; i < d; i++) to[i] = STORE(numberAt(BFLOAT16, v, from + i), vr);                          \
      for (int64_t i = d; i < dp; i++) to[i] = 0;                                                                  \
    }                                                                                                              \
  }
#define AS_FLOAT(x, r) (x)
#define AS_BFLOAT16(x, r) float_to_bfloat16(x)
CACHE_WRITE(write_float32, false, float, AS_FLOAT)
CACHE_WRITE(write_float32_from_bfloat16, true, float, AS_FLOAT)
CACHE_WRITE(write_bfloat16, false, uint16_t, AS_BFLOAT16)
CACHE_WRITE(write_bfloat16_from_bfloat16, true, uint16_t, AS_BFLOAT16)
CACHE_WRITE(write_int8, false, int8_t, to_int8)
CACHE_WRITE(write_int8_from_bfloat16, true, int8_t, to_int8)

void nabla_cache_write(
    enum nabla_cache_type type, int32_t heads, int32_t headSize, bool bfloat16, int64_t rows, const void *keys,
    const void *values, int64_t rowStride, void *page, int32_t slot) {
  const struct cache_head_layout at = cacheHeadLayout(type, headSize);
  const int64_t d = headSize, dp = paddedSize(d);
  for (int64_t g = 0; g < heads; g++) {
    char *head = (char *)page + g * at.bytes;
    void *k = head + at.keys, *v = head + at.values;
    float *scales = (float *)(void *)head;
    switch (type) {
      case NABLA_CACHE_FLOAT32:
        (bfloat16 ? write_float32_from_bfloat16 : write_float32)(
            d, dp, rows, keys, values, g * d, rowStride, k, v, scales, slot);
        break;
      case NABLA_CACHE_BFLOAT16:
        (bfloat16 ? write_bfloat16_from_bfloat16 : write_bfloat16)(
            d, dp, rows, keys, values, g * d, rowStride, k, v, scales, slot);
        break;
      case NABLA_CACHE_INT8:
        (bfloat16 ? write_int8_from_bfloat16 : write_int8)(
            d, dp, rows, keys, values, g * d, rowStride, k, v, scales, slot);
        break;
    }
  }
}

static inline float storedAt(enum nabla_cache_type type, const void *x, int64_t i, float scale) {
  switch (type) {
    case NABLA_CACHE_FLOAT32: return ((const float *)x)[i];
    case NABLA_CACHE_BFLOAT16: return bfloat16_to_float(((const uint16_t *)x)[i]);
    case NABLA_CACHE_INT8: return (float)((const int8_t *)x)[i] * scale;
  }
}

static inline INLINED void read_page(
    enum nabla_cache_type type, bool bfloat16, int64_t heads, int64_t d, int64_t rows, const void *page, void *keys,
    void *values, int64_t rowStride) {
  const struct cache_head_layout at = cacheHeadLayout(type, d);
  const int64_t dp = paddedSize(d);
  for (int64_t g = 0; g < heads; g++) {
    const char *head = (const char *)page + g * at.bytes;
    const float *scales = (const float *)(const void *)head;
    for (int64_t t = 0; t < rows; t++) {
      const float ks = type == NABLA_CACHE_INT8 ? scales[t] : 1;
      const float vs = type == NABLA_CACHE_INT8 ? scales[NABLA_CACHE_PAGE + t] : 1;
      const int64_t to = t * rowStride + g * d;
      for (int64_t i = 0; i < d; i++) {
        const float k = storedAt(type, head + at.keys, i * NABLA_CACHE_PAGE + t, ks);
        const float v = storedAt(type, head + at.values, t * dp + i, vs);
        if (bfloat16) {
          ((uint16_t *)keys)[to + i] = float_to_bfloat16(k);
          ((uint16_t *)values)[to + i] = float_to_bfloat16(v);
        } else {
          ((float *)keys)[to + i] = k;
          ((float *)values)[to + i] = v;
        }
      }
    }
  }
}

DISPATCHED(void, nabla_cache_read,
           (enum nabla_cache_type type, int32_t heads, int32_t headSize, bool bfloat16, int64_t rows,
            const void *page, void *keys, void *values, int64_t rowStride),
           (type, heads, headSize, bfloat16, rows, page, keys, values, rowStride)) {
  // Constants inside the loops.
  switch (type) {
    case NABLA_CACHE_FLOAT32:
      bfloat16 ? read_page(NABLA_CACHE_FLOAT32, true, heads, headSize, rows, page, keys, values, rowStride)
               : read_page(NABLA_CACHE_FLOAT32, false, heads, headSize, rows, page, keys, values, rowStride);
      break;
    case NABLA_CACHE_BFLOAT16:
      bfloat16 ? read_page(NABLA_CACHE_BFLOAT16, true, heads, headSize, rows, page, keys, values, rowStride)
               : read_page(NABLA_CACHE_BFLOAT16, false, heads, headSize, rows, page, keys, values, rowStride);
      break;
    case NABLA_CACHE_INT8:
      bfloat16 ? read_page(NABLA_CACHE_INT8, true, heads, headSize, rows, page, keys, values, rowStride)
               : read_page(NABLA_CACHE_INT8, false, heads, headSize, rows, page, keys, values, rowStride);
      break;
  }
}
