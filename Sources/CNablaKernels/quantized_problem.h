// What the kernels of every instruction set share (see quantized_linear.c).
#pragma once
#include "quantization_blocks.h"
#include "quantized_linear.h"

/// The columns of a weight that are unpacked at a time: few enough that the unpacked panel stays in the L1 cache.
#define CHUNK 640
#define CHUNK_GROUPS 40  // of 16 columns

/// Some rows of one weight, times all rows of x.
struct panel_task {
  struct nabla_quantized_rows x;
  const uint8_t *blocks;  // the first row
  int64_t count;          // of rows, at most the panel's height
  int64_t rowBytes;
  enum nabla_block_type type;
  const float *bias;      // of the first row, or NULL
  float *y;               // the first row's column
  const float *addend;    // the same for the addend; y itself, perhaps, or NULL
  int64_t stride;         // of both
};

struct quantized_kernels {
  int64_t height;  // rows of a panel
  void (*run)(const struct panel_task *task);
};

extern const struct quantized_kernels nabla_quantized_vnni, nabla_quantized_avx2, nabla_quantized_baseline;
