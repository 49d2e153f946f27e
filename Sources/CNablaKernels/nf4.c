// The NF4 data type: the same bits as bitsandbytes makes and reads.
#include "nf4.h"
#include "kernel.h"

// No fused multiply-add: a scale is rounded twice.
#pragma clang fp reassociate(off) contract(off)

static const float codes[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
    -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
    0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f,
};

DISPATCHED(void, nabla_dequantize_nf4,
           (const struct nabla_nf4_scales *scales, int64_t first, int64_t count, const uint8_t *x, float *y),
           (scales, first, count, x, y)) {
  enum { HALF = NABLA_NF4_BLOCK / 2 };
  for (int64_t block = 0; block < count; block++) {
    const int64_t b = scales->first + first + block;
    const float scale = scales->map[scales->codes[b]] * scales->groups[b / NABLA_NF4_GROUP] + scales->offset;
    float scaled[16];
    for (int i = 0; i < 16; i++) scaled[i] = codes[i] * scale;
    const uint8_t *from = x + block * HALF;
    float *to = y + block * NABLA_NF4_BLOCK;
    for (int i = 0; i < HALF; i++) {
      to[2 * i] = scaled[from[i] >> 4];
      to[2 * i + 1] = scaled[from[i] & 15];
    }
  }
}

DISPATCHED(void, nabla_quantize_nf4, (int64_t count, const float *x, uint8_t *y, float *largest),
           (count, x, y, largest)) {
  float middle[15];
  for (int i = 0; i < 15; i++) middle[i] = (codes[i] + codes[i + 1]) / 2;
  for (int64_t block = 0; block < count; block++) {
    const float *from = x + block * NABLA_NF4_BLOCK;
    float most = 0;
    for (int i = 0; i < NABLA_NF4_BLOCK; i++) most = fabsf(from[i]) > most ? fabsf(from[i]) : most;
    largest[block] = most;
    const float inverse = 1 / (most > 1e-38f ? most : 1e-38f);
    uint8_t q[NABLA_NF4_BLOCK];
    for (int i = 0; i < NABLA_NF4_BLOCK; i++) {
      const float v = from[i] * inverse;
      uint8_t code = 0;
      for (int j = 0; j < 15; j++) code += v > middle[j];
      q[i] = code;
    }
    uint8_t *to = y + block * (NABLA_NF4_BLOCK / 2);
    for (int i = 0; i < NABLA_NF4_BLOCK / 2; i++) to[i] = (uint8_t)(q[2 * i] << 4 | q[2 * i + 1]);
  }
}
