#pragma once
#include <stdint.h>

/// y[b, o, i] = bias[o] + Σ_c Σ_k w[o, c, k] · x[b, c, i·stride + k·dilation - padding] over two spatial dimensions
/// and, with groups, over the channels of o's own group. Float32, row-major: x [batch, inputChannels, input…],
/// w [outputChannels, inputChannels / groups, kernel…], y [batch, outputChannels, output…].
struct nabla_convolution {
  int64_t batch, groups, inputChannels, outputChannels;
  int64_t input[2], kernel[2], output[2], stride[2], padding[2], dilation[2];
  int64_t hasBias;  // no padding bytes in this struct: problems compare and hash by their bytes
};

enum nabla_convolution_pass {
  NABLA_CONVOLUTION_FORWARD,           // y from x, w, bias
  NABLA_CONVOLUTION_BACKWARD_INPUT,    // dx from w, dy
  NABLA_CONVOLUTION_BACKWARD_WEIGHTS,  // dw (and dbias) from x, dy
};

/// Runs one pass: the pass's results are written, the rest is read. Returns 0, or oneDNN's status code. Uses all
/// threads.
int32_t nabla_convolution_run(const struct nabla_convolution *problem, int32_t pass, float *x, float *w, float *bias,
                              float *y);
