#pragma once
#include <stdint.h>

/// NF4 (Dettmers et al. 2023): 4-bit codes of the 16 quantiles of a normal distribution, in blocks of 64 weights whose
/// largest magnitude is the scale. The scales are stored in 8 bits, in groups of 256 blocks ("double quantization").
enum { NABLA_NF4_BLOCK = 64, NABLA_NF4_GROUP = 256 };

/// The scales of a tensor's blocks: that of block b is map[codes[c]] · groups[c / 256] + offset with c = first + b.
struct nabla_nf4_scales {
  const uint8_t *codes;
  const float *groups;
  const float *map;  // [256], ascending
  float offset;
  int64_t first;  // the tensor may be a part of a larger one
};

/// y = the numbers of `count` blocks at x, which are those from `first` on of the tensor whose scales are given. Number
/// 2i is in the high half of byte i.
void nabla_dequantize_nf4(const struct nabla_nf4_scales *scales, int64_t first, int64_t count, const uint8_t *x,
                          float *y);

/// The nearest codes of `count` blocks, and the largest magnitude of each. Ties go to the lower code.
void nabla_quantize_nf4(int64_t count, const float *x, uint8_t *y, float *largest);
