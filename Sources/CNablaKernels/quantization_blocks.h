// The layouts of ggml's blocks, and how each becomes integers with scales: shared by every kernel for quantized
// tensors.
#pragma once
#include "kernel.h"
#include "quantization.h"

typedef uint16_t half;  // the bits of a float16

// 32 numbers with one scale: x = d · (q - 8), or d · q + m.
struct q4_0 { half d; uint8_t low[16]; };
struct q4_1 { half d, m; uint8_t low[16]; };
struct q5_0 { half d; uint8_t high[4], low[16]; };
struct q5_1 { half d, m; uint8_t high[4], low[16]; };
struct q8_0 { half d; int8_t q[32]; };
// 256 numbers in groups of 16 or 32, whose scales are integers too: x = (d · scale) · q - (dmin · min).
struct q2_K { uint8_t scales[16], low[64]; half d, dmin; };
struct q3_K { uint8_t high[32], low[64], scales[12]; half d; };
struct q4_K { half d, dmin; uint8_t scales[12], low[128]; };
struct q5_K { half d, dmin; uint8_t scales[12], high[32], low[128]; };
struct q6_K { uint8_t low[128], high[64]; int8_t scales[16]; half d; };

#define FOR_EACH_BLOCK_TYPE(DO) \
  DO(NABLA_Q4_0) DO(NABLA_Q4_1) DO(NABLA_Q5_0) DO(NABLA_Q5_1) DO(NABLA_Q8_0) \
  DO(NABLA_Q2_K) DO(NABLA_Q3_K) DO(NABLA_Q4_K) DO(NABLA_Q5_K) DO(NABLA_Q6_K)

#define BLOCK_NUMBERS 256  // the most that a block holds

/// A type's properties: weights and bytes per block, weights that share a scale, and the offset that makes every q
/// non-negative.
struct block_format { int32_t size, bytes, group, bias; };

static inline struct block_format block_format(enum nabla_block_type type) {
  switch (type) {
    case NABLA_Q4_0: return (struct block_format){32, sizeof(struct q4_0), 32, 8};
    case NABLA_Q4_1: return (struct block_format){32, sizeof(struct q4_1), 32, 0};
    case NABLA_Q5_0: return (struct block_format){32, sizeof(struct q5_0), 32, 16};
    case NABLA_Q5_1: return (struct block_format){32, sizeof(struct q5_1), 32, 0};
    case NABLA_Q8_0: return (struct block_format){32, sizeof(struct q8_0), 32, 128};
    case NABLA_Q2_K: return (struct block_format){256, sizeof(struct q2_K), 16, 0};
    case NABLA_Q3_K: return (struct block_format){256, sizeof(struct q3_K), 16, 4};
    case NABLA_Q4_K: return (struct block_format){256, sizeof(struct q4_K), 32, 0};
    case NABLA_Q5_K: return (struct block_format){256, sizeof(struct q5_K), 32, 0};
    case NABLA_Q6_K: return (struct block_format){256, sizeof(struct q6_K), 16, 32};
  }
  return (struct block_format){1, 1, 1, 0};
}

/// Scale and minimum of group g of Q4_K and Q5_K, six bits each. The first four groups' are in the low bits of bytes
/// 0…7; the others' low four bits in bytes 8…11, and their high two bits above those of the first four.
static inline INLINED void unpack_scale_K(const uint8_t packed[12], int g, uint8_t *scale, uint8_t *minimum) {
  if (g < 4) {
    *scale = packed[g] & 63;
    *minimum = packed[g + 4] & 63;
  } else {
    *scale = (uint8_t)((packed[g + 4] & 15) | (packed[g - 4] >> 6) << 4);
    *minimum = (uint8_t)((packed[g + 4] >> 4) | (packed[g] >> 6) << 4);
  }
}

/// One block as integers: number i is scale[g] · q[i] - minimum[g] with g = i / group.
static inline INLINED void unpack_block(enum nabla_block_type type, const void *block, int8_t *q, float *scale,
                                        float *minimum) {
  switch (type) {
    case NABLA_Q4_0: {
      const struct q4_0 *b = block;
      scale[0] = float16_to_float(b->d);
      minimum[0] = 0;
      for (int i = 0; i < 16; i++) q[i] = (int8_t)((b->low[i] & 15) - 8);
      for (int i = 0; i < 16; i++) q[i + 16] = (int8_t)((b->low[i] >> 4) - 8);
      break;
    }
    case NABLA_Q4_1: {
      const struct q4_1 *b = block;
      scale[0] = float16_to_float(b->d);
      minimum[0] = -float16_to_float(b->m);
      for (int i = 0; i < 16; i++) q[i] = b->low[i] & 15;
      for (int i = 0; i < 16; i++) q[i + 16] = (int8_t)(b->low[i] >> 4);
      break;
    }
    case NABLA_Q5_0: {
      const struct q5_0 *b = block;
      uint32_t high;
      memcpy(&high, b->high, 4);
      scale[0] = float16_to_float(b->d);
      minimum[0] = 0;
      for (int i = 0; i < 16; i++) q[i] = (int8_t)(((b->low[i] & 15) | (high >> i & 1) << 4) - 16);
      for (int i = 0; i < 16; i++) q[i + 16] = (int8_t)(((b->low[i] >> 4) | (high >> (i + 16) & 1) << 4) - 16);
      break;
    }
    case NABLA_Q5_1: {
      const struct q5_1 *b = block;
      uint32_t high;
      memcpy(&high, b->high, 4);
      scale[0] = float16_to_float(b->d);
      minimum[0] = -float16_to_float(b->m);
      for (int i = 0; i < 16; i++) q[i] = (int8_t)((b->low[i] & 15) | (high >> i & 1) << 4);
      for (int i = 0; i < 16; i++) q[i + 16] = (int8_t)((b->low[i] >> 4) | (high >> (i + 16) & 1) << 4);
      break;
    }
    case NABLA_Q8_0: {
      const struct q8_0 *b = block;
      scale[0] = float16_to_float(b->d);
      minimum[0] = 0;
      memcpy(q, b->q, 32);
      break;
    }
    case NABLA_Q2_K: {
      const struct q2_K *b = block;
      float d = float16_to_float(b->d), dmin = float16_to_float(b->dmin);
      for (int g = 0; g < 16; g++) {
        scale[g] = d * (float)(b->scales[g] & 15);
        minimum[g] = dmin * (float)(b->scales[g] >> 4);
      }
      // Bytes 0…31 hold numbers 0…127, 32 at a time in two bits each; bytes 32…63 the rest.
      for (int part = 0; part < 8; part++)
        for (int i = 0; i < 32; i++) q[part * 32 + i] = b->low[part / 4 * 32 + i] >> part % 4 * 2 & 3;
      break;
    }
    case NABLA_Q3_K: {
      const struct q3_K *b = block;
      float d = float16_to_float(b->d);
      for (int g = 0; g < 16; g++) {
        int low = b->scales[g % 8] >> g / 8 * 4 & 15, high = b->scales[8 + g % 4] >> g / 4 * 2 & 3;
        scale[g] = d * (float)((low | high << 4) - 32);
        minimum[g] = 0;
      }
      // A set high bit means no subtraction.
      for (int part = 0; part < 8; part++)
        for (int i = 0; i < 32; i++)
          q[part * 32 + i] =
              (int8_t)((b->low[part / 4 * 32 + i] >> part % 4 * 2 & 3) + (b->high[i] >> part & 1) * 4 - 4);
      break;
    }
    case NABLA_Q4_K: {
      const struct q4_K *b = block;
      float d = float16_to_float(b->d), dmin = float16_to_float(b->dmin);
      for (int g = 0; g < 8; g++) {
        uint8_t s, m;
        unpack_scale_K(b->scales, g, &s, &m);
        scale[g] = d * (float)s;
        minimum[g] = dmin * (float)m;
      }
      for (int pair = 0; pair < 4; pair++) {
        for (int i = 0; i < 32; i++) q[pair * 64 + i] = b->low[pair * 32 + i] & 15;
        for (int i = 0; i < 32; i++) q[pair * 64 + 32 + i] = (int8_t)(b->low[pair * 32 + i] >> 4);
      }
      break;
    }
    case NABLA_Q5_K: {
      const struct q5_K *b = block;
      float d = float16_to_float(b->d), dmin = float16_to_float(b->dmin);
      for (int g = 0; g < 8; g++) {
        uint8_t s, m;
        unpack_scale_K(b->scales, g, &s, &m);
        scale[g] = d * (float)s;
        minimum[g] = dmin * (float)m;
      }
      for (int pair = 0; pair < 4; pair++) {
        for (int i = 0; i < 32; i++)
          q[pair * 64 + i] = (int8_t)((b->low[pair * 32 + i] & 15) | (b->high[i] >> pair * 2 & 1) << 4);
        for (int i = 0; i < 32; i++)
          q[pair * 64 + 32 + i] = (int8_t)((b->low[pair * 32 + i] >> 4) | (b->high[i] >> (pair * 2 + 1) & 1) << 4);
      }
      break;
    }
    case NABLA_Q6_K: {
      const struct q6_K *b = block;
      float d = float16_to_float(b->d);
      for (int g = 0; g < 16; g++) {
        scale[g] = d * (float)b->scales[g];
        minimum[g] = 0;
      }
      // Each half of 128: four runs of 32; the first two in the low nibbles of 64 bytes, the others in the high ones,
      // with two high bits of each run in 32 bytes.
      for (int run = 0; run < 8; run++)
        for (int i = 0; i < 32; i++) {
          int low = b->low[run / 4 * 64 + run % 2 * 32 + i] >> run % 4 / 2 * 4 & 15;
          int high = b->high[run / 4 * 32 + i] >> run % 4 * 2 & 3;
          q[run * 32 + i] = (int8_t)((low | high << 4) - 32);
        }
      break;
    }
  }
}
