// A multilayer perceptron in one call: y = W_L·a(… a(W₁·x + b₁) …) + b_L with an activation a between the layers.
//
// Small networks spend most of their time on per-operation overhead rather than on arithmetic. Here a block of rows
// goes through all layers while it is in the L1 and L2 caches, forward and backward, and all gradients come from one
// call. Results have the same bits for any thread count: how rows are split, and the order of all sums, depend on
// shapes alone.
#pragma once
#include <stdint.h>
#include "attention.h"

enum nabla_perceptron_activation { NABLA_PERCEPTRON_TANH = 0, NABLA_PERCEPTRON_RELU = 1 };

/// The maximum number of layers, layer width, and networks side by side that these kernels support.
enum { NABLA_PERCEPTRON_MAX_LAYERS = 8, NABLA_PERCEPTRON_MAX_WIDTH = 512, NABLA_PERCEPTRON_MAX_NETWORKS = 4 };

/// Layer l has weights [widths[l + 1], widths[l]] and biases [widths[l + 1]], all float32.
struct nabla_perceptron {
  int32_t layerCount;
  enum nabla_perceptron_activation activation;
  int32_t widths[NABLA_PERCEPTRON_MAX_LAYERS + 1];
  const float *weights[NABLA_PERCEPTRON_MAX_LAYERS];
  const float *transposed[NABLA_PERCEPTRON_MAX_LAYERS];  // the output of nabla_perceptron_transpose
  const float *biases[NABLA_PERCEPTRON_MAX_LAYERS];
  enum nabla_attention_isa isa;  // use at most this (for tests); 0 for the best
};

/// The number of floats of a layer's weights in the forward layout: [in, out], out padded to whole vectors with zeros.
int64_t nabla_perceptron_transposed_floats(int64_t in, int64_t out);
void nabla_perceptron_transpose(int64_t in, int64_t out, const float *weights, float *transposed);

/// The number of scratch floats that a forward pass needs.
int64_t nabla_perceptron_forward_floats(const struct nabla_perceptron *networks, int32_t count, int64_t rows);
/// Networks that read the same x: [rows, inputs]; their outputs are concatenated, y: [rows, Σ outputs]. `scratch`,
/// 64-byte aligned, afterwards holds the activations for the backward pass.
void nabla_perceptron_forward(const struct nabla_perceptron *networks, int32_t count, int64_t rows, const float *x,
                              float *scratch, float *y, int32_t threadCount);

/// The number of scratch floats that a backward pass needs.
int64_t nabla_perceptron_backward_floats(const struct nabla_perceptron *networks, int32_t count, int64_t rows);
/// From dy: [rows, Σ outputs] the gradients of all weights and biases, network after network, and of x, where dx is not
/// null: [count, rows, inputs], to be summed. `saved` is the scratch of the forward pass.
void nabla_perceptron_backward(const struct nabla_perceptron *networks, int32_t count, int64_t rows, const float *saved,
                               const float *dy, float *scratch, float *dx, float *const *dWeights,
                               float *const *dBiases, int32_t threadCount);
