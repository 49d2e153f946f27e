// What the perceptron's dispatcher and the kernels of each instruction set share.
#pragma once
#include "include/perceptron.h"

// Rows that go through all layers together: activations of a typical network then stay in the L2 cache.
#define ROWS 32
// The backward pass sums gradients over at most this many parts of the rows, each of at least this many blocks: adding
// up the parts takes as long as one block.
#define MAX_PARTS 8
#define PART_BLOCKS 4

typedef struct nabla_perceptron perceptron_t;

// Widths are padded with zeros to whole vectors of every instruction set.
static inline int64_t padded(int64_t width) { return (width + 15) & ~(int64_t)15; }
static inline int64_t blockCount(int64_t rows) { return (rows + ROWS - 1) / ROWS; }
static inline int64_t widestLayer(const perceptron_t *p) {
  int64_t widest = 0;
  for (int32_t l = 0; l <= p->layerCount; l++) widest = p->widths[l] > widest ? p->widths[l] : widest;
  return padded(widest);
}

// The biases of all layers, padded.
static inline int64_t biasFloats(const perceptron_t *p) {
  int64_t floats = 0;
  for (int32_t l = 0; l < p->layerCount; l++) floats += padded(p->widths[l + 1]);
  return floats;
}
// The activations of one block of rows: [ROWS, padded(width)], from the input to the output, layer after layer.
static inline int64_t blockFloats(const perceptron_t *p) {
  int64_t floats = 0;
  for (int32_t l = 0; l <= p->layerCount; l++) floats += ROWS * padded(p->widths[l]);
  return floats;
}

struct perceptron_forward {
  const perceptron_t *p;
  int64_t rows;
  const float *x, *biases;
  float *blocks;  // [block count, blockFloats]
  float *y;       // rows yStride apart
  int64_t yStride;
};

struct perceptron_backward {
  const perceptron_t *p;
  int64_t rows, parts;
  const float *const *weights;  // rows padded to whole vectors
  const float *blocks, *dy;     // rows of dy dyStride apart
  int64_t dyStride;
  float *sums;     // [parts, gradientFloats]
  float *deltas;   // [parts, 2, ROWS, widest layer]
  float *dx;       // may be null
  float *const *dWeights, *const *dBiases;
};

struct perceptron_kernels {
  void (*transpose)(int64_t in, int64_t out, const float *weights, float *transposed);
  void (*forward)(const struct perceptron_forward *a, int64_t block);
  // The gradients' sums over one part of the rows.
  void (*backward)(const struct perceptron_backward *a, int64_t part);
  int64_t (*gradientFloats)(const perceptron_t *p);
  // Adds up the parts of one layer's gradients.
  void (*reduce)(const struct perceptron_backward *a, int32_t layer);
};

extern const struct perceptron_kernels nabla_perceptron_baseline, nabla_perceptron_avx2, nabla_perceptron_avx512;
