#include "stored_linear.h"
#include "conversion.h"
#include "kernel.h"
#include "quantization.h"

#define PART 1024  // columns dequantized at a time: a multiple of every block size

static inline INLINED float dot(const float *x, const float *w, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * w[i];
  return sum;
}

static void widen(int32_t type, const uint8_t *row, int64_t from, int64_t n, float *y) {
  if (type == NABLA_STORED_BFLOAT16) {
    nabla_bfloat16_to_float(n, (const uint16_t *)(const void *)row + from, y);
  } else if (type == NABLA_STORED_FLOAT16) {
    nabla_float16_to_float(n, (const uint16_t *)(const void *)row + from, y);
  } else {
    const enum nabla_block_type block = (enum nabla_block_type)type;
    const int64_t size = nabla_block_size(block);
    nabla_dequantize(block, n / size, row + from / size * nabla_block_bytes(block), y);
  }
}

DISPATCHED(void, nabla_stored_linear,
           (int32_t type, const void *weight, int64_t rowBytes, int64_t columns, int64_t begin, int64_t end,
            const float *x, int64_t rows, const float *bias, float *y, int64_t stride, bool accumulate,
            const struct nabla_nf4_scales *scales),
           (type, weight, rowBytes, columns, begin, end, x, rows, bias, y, stride, accumulate, scales)) {
  float part[PART];
  for (int64_t j = begin; j < end; j++) {
    const uint8_t *row = (const uint8_t *)weight + j * rowBytes;
    for (int64_t r = 0; r < rows; r++) y[r * stride + j] = (accumulate ? y[r * stride + j] : 0) + (bias ? bias[j] : 0);
    for (int64_t from = 0; from < columns; from += PART) {
      const int64_t n = columns - from < PART ? columns - from : PART;
      if (type == NABLA_STORED_NF4)
        nabla_dequantize_nf4(scales, (j * columns + from) / NABLA_NF4_BLOCK, n / NABLA_NF4_BLOCK, row + from / 2, part);
      else
        widen(type, row, from, n, part);
      for (int64_t r = 0; r < rows; r++) y[r * stride + j] += dot(x + r * columns + from, part, n);
    }
  }
}
