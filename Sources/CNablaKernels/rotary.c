#include "rotary.h"
#include "kernel.h"

#define IDENTITY(v) (v)
#define ROTARY(NAME, TYPE, LOAD, STORE)                                                                              \
  DISPATCHED(void, NAME,                                                                                            \
             (int64_t heads, int64_t size, int64_t rotated, int32_t interleaved, const float *cosine,               \
              const float *sine, float direction, const TYPE *x, TYPE *y),                                          \
             (heads, size, rotated, interleaved, cosine, sine, direction, x, y)) {                                  \
    int64_t half = rotated / 2;                                                                                      \
    for (int64_t h = 0; h < heads; h++, x += size, y += size) {                                                      \
      if (interleaved) {                                                                                             \
        for (int64_t i = 0; i < half; i++) {                                                                         \
          float a = LOAD(x[2 * i]), b = LOAD(x[2 * i + 1]), s = direction * sine[i];                                 \
          y[2 * i] = STORE(a * cosine[i] - b * s);                                                                   \
          y[2 * i + 1] = STORE(b * cosine[i] + a * s);                                                               \
        }                                                                                                            \
      } else {                                                                                                       \
        for (int64_t i = 0; i < half; i++) {                                                                         \
          float a = LOAD(x[i]), b = LOAD(x[half + i]), s = direction * sine[i];                                      \
          y[i] = STORE(a * cosine[i] - b * s);                                                                       \
          y[half + i] = STORE(b * cosine[i] + a * s);                                                                \
        }                                                                                                            \
      }                                                                                                              \
      for (int64_t i = rotated; i < size; i++) y[i] = x[i];                                                          \
    }                                                                                                                \
  }
ROTARY(nabla_rotary, float, IDENTITY, IDENTITY)
ROTARY(nabla_rotary_bfloat16, uint16_t, bfloat16_to_float, float_to_bfloat16)
