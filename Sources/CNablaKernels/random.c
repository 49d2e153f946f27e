#include "random.h"
#include "vectormath.h"

static inline INLINED void philox_block(uint64_t key, uint64_t stream, uint64_t counter, uint32_t out[4]) {
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void nabla_philox(uint64_t key, uint64_t stream, uint64_t counter, int64_t words, uint32_t *out) {
  uint32_t block[4];
  for (int64_t w = 0; w < words; w++) {
    if (w % 4 == 0) philox_block(key, stream, counter + (uint64_t)w / 4, block);
    out[w] = block[w % 4];
  }
}

static inline float unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

// 256 words at a time, first the random bits and then the numbers, so that both loops vectorize.
#define BLOCKS 64
static inline INLINED void words(uint64_t key, uint64_t stream, uint64_t counter, uint32_t out[4 * BLOCKS]) {
  for (int64_t b = 0; b < BLOCKS; b++) philox_block(key, stream, counter + (uint64_t)b, out + 4 * b);
}

DISPATCHED(void, nabla_random_uniform,
           (uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, float *y),
           (key, stream, counter, first, n, y)) {
  uint32_t w[4 * BLOCKS];
  for (int64_t start = 0; start < n; start += 4 * BLOCKS) {
    words(key, stream, counter + (uint64_t)(first + start) / 4, w);
    int64_t count = n - start < 4 * BLOCKS ? n - start : 4 * BLOCKS;
    for (int64_t i = 0; i < count; i++) y[start + i] = unit(w[i]);
  }
}

DISPATCHED(void, nabla_random_integers,
           (uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, uint32_t bound, int32_t *y),
           (key, stream, counter, first, n, bound, y)) {
  uint32_t w[4 * BLOCKS];
  for (int64_t start = 0; start < n; start += 4 * BLOCKS) {
    words(key, stream, counter + (uint64_t)(first + start) / 4, w);
    int64_t count = n - start < 4 * BLOCKS ? n - start : 4 * BLOCKS;
    for (int64_t i = 0; i < count; i++) y[start + i] = (int32_t)((uint64_t)w[i] * bound >> 32);
  }
}

void nabla_random_normal(uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, float *y) {
  uint32_t w[4 * BLOCKS];
  for (int64_t start = 0; start < n; start += 4 * BLOCKS) {
    words(key, stream, counter + (uint64_t)(first + start) / 4, w);
    int64_t count = n - start < 4 * BLOCKS ? n - start : 4 * BLOCKS;
    for (int64_t i = 0; i < count; i += 2) {
      // 1 - unit lies in (0, 1], so the logarithm is finite.
      float radius = sqrtf(-2.0f * logf(1.0f - unit(w[i]))), angle = 6.283185307179586f * unit(w[i + 1]);
      y[start + i] = radius * cosf(angle);
      if (i + 1 < count) y[start + i + 1] = radius * sinf(angle);
    }
  }
}

DISPATCHED(void, nabla_dropout,
           (uint64_t key, uint64_t stream, uint64_t counter, int64_t first, int64_t n, float p, const float *x,
            float *y),
           (key, stream, counter, first, n, p, x, y)) {
  uint32_t w[4 * BLOCKS];
  float scale = 1.0f / (1.0f - p);
  for (int64_t start = 0; start < n; start += 4 * BLOCKS) {
    words(key, stream, counter + (uint64_t)(first + start) / 4, w);
    int64_t count = n - start < 4 * BLOCKS ? n - start : 4 * BLOCKS;
    for (int64_t i = 0; i < count; i++) y[start + i] = unit(w[i]) >= p ? x[start + i] * scale : 0.0f;
  }
}
