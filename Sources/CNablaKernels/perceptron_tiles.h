// All perceptron kernels of one instruction set. The including file defines TABLE, WIDTH, MR and NR; see tiles.h.
#include "perceptron_problem.h"
#include "tiles.h"

_Static_assert(ROWS % MR == 0 && 16 % MR == 0 && 16 % WIDTH == 0, "blocks and padded widths hold whole tiles");

// tanh as vectormath.h has it; the compiler would vectorise a loop over that at half the width.
INLINE vec tanhVector(vec x) {
  const vec bound = splat(7.90531110763549805f);
  vec c = choose(x < -bound, -bound, x);
  c = choose(c > bound, bound, c);
  vec s = c * c;
  vec p = splat(-2.76076847742355e-16f);
  p = p * s + splat(2.00018790482477e-13f);
  p = p * s - splat(8.60467152213735e-11f);
  p = p * s + splat(5.12229709037114e-08f);
  p = p * s + splat(1.48572235717979e-05f);
  p = p * s + splat(6.37261928875436e-04f);
  p = p * s + splat(4.89352455891786e-03f);
  vec q = splat(1.19825839466702e-06f);
  q = q * s + splat(1.18534705686654e-04f);
  q = q * s + splat(2.26843463243900e-03f);
  q = q * s + splat(4.89352518554385e-03f);
  vec y = c * p / q;
  y = choose(x > bound, splat(1), y);
  return choose(x < -bound, splat(-1), y);
}

// Loops over registers must vanish, or the compiler keeps the sums in memory.
#define EACH_REGISTER _Pragma("clang loop unroll(full)")

// One register block of rows of a layer: y = a(bias + x·Wᵀ), with activation -1 for none; weights are [in, padded(out)].
#define FORWARD_STRIP(N)                                                                                        \
  {                                                                                                             \
    vec acc[MR][N];                                                                                             \
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++) acc[m][n] = load(bias + c + n * WIDTH);                         \
    ACCUMULATE(N, acc, x, inStride, 1, weights + c, outStride, in)                                              \
    if (activation == NABLA_PERCEPTRON_TANH)                                                                    \
      EACH_REGISTER for (int m = 0; m < MR; m++)                                                                \
        EACH_REGISTER for (int n = 0; n < N; n++) acc[m][n] = tanhVector(acc[m][n]);                            \
    if (activation == NABLA_PERCEPTRON_RELU)                                                                    \
      EACH_REGISTER for (int m = 0; m < MR; m++)                                                                \
        EACH_REGISTER for (int n = 0; n < N; n++) acc[m][n] = choose(acc[m][n] < splat(0), splat(0), acc[m][n]);\
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++) store(y + m * outStride + c + n * WIDTH, acc[m][n]);            \
  }
static void forwardTile(
    float *y, int64_t outStride, const float *x, int64_t inStride, const float *weights, const float *bias, int64_t in,
    int32_t activation) {
  int64_t c = 0;
  for (; c + STRIP <= outStride; c += STRIP) FORWARD_STRIP(NR)
  for (; c < outStride; c += WIDTH) FORWARD_STRIP(1)
}

// One register block of rows of the gradient of a layer's input: dx = (δ·W) · a'(z), told by y = a(z) = x; y NULL for no
// activation. Weights are [out, padded(in)].
#define BACKWARD_STRIP(N)                                                                                       \
  {                                                                                                             \
    vec acc[MR][N] = {0};                                                                                       \
    ACCUMULATE(N, acc, delta, outStride, 1, weights + c, inStride, out)                                         \
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++) {                                                               \
        const int64_t at = m * inStride + c + n * WIDTH;                                                        \
        vec v = acc[m][n];                                                                                      \
        if (y && activation == NABLA_PERCEPTRON_TANH) v *= splat(1) - load(y + at) * load(y + at);              \
        if (y && activation == NABLA_PERCEPTRON_RELU) v = choose(load(y + at) > splat(0), v, splat(0));         \
        store(dx + at, v);                                                                                      \
      }                                                                                                         \
  }
static void backwardTile(
    float *dx, int64_t inStride, const float *delta, int64_t outStride, const float *weights, int64_t out,
    const float *y, int32_t activation) {
  int64_t c = 0;
  for (; c + STRIP <= inStride; c += STRIP) BACKWARD_STRIP(NR)
  for (; c < inStride; c += WIDTH) BACKWARD_STRIP(1)
}

// Copies rows [rows, width] into [≥ rows, padded(width)]: zeros beside them, and below up to whole register blocks.
static void padRows(float *to, const float *from, int64_t rows, int64_t width) {
  const int64_t stride = padded(width), whole = (rows + MR - 1) / MR * MR;
  for (int64_t r = 0; r < rows; r++) {
    memcpy(to + r * stride, from + r * width, (size_t)width * sizeof(float));
    memset(to + r * stride + width, 0, (size_t)(stride - width) * sizeof(float));
  }
  memset(to + rows * stride, 0, (size_t)((whole - rows) * stride) * sizeof(float));
}

static void pack(const perceptron_t *p, const float *const *weights, const float *const *biases, float *packed) {
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t in = p->widths[l], out = p->widths[l + 1], stride = padded(out);
    if (in % 4 == 0 && out % 4 == 0) {
      transpose(packed, stride, weights[l], in, out, in, 1);
    } else {
      for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++) packed[i * stride + o] = weights[l][o * in + i];
    }
    if (out < stride)
      for (int64_t i = 0; i < in; i++)
        memset(packed + i * stride + out, 0, (size_t)(stride - out) * sizeof(float));
    packed += in * stride;
    memcpy(packed, biases[l], (size_t)out * sizeof(float));
    memset(packed + out, 0, (size_t)(stride - out) * sizeof(float));
    packed += stride;
  }
}

static void forwardBlock(const struct perceptron_forward *a, int64_t block) {
  const perceptron_t *p = a->p;
  const int64_t first = block * ROWS, rows = a->rows - first < ROWS ? a->rows - first : ROWS;
  const float *packed = a->packed;
  float *input = a->blocks + block * blockFloats(p);
  padRows(input, a->x + first * p->widths[0], rows, p->widths[0]);
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t in = p->widths[l], inStride = padded(in), outStride = padded(p->widths[l + 1]);
    const float *bias = packed + in * outStride;
    float *output = input + ROWS * inStride;
    const int32_t activation = l + 1 < p->layerCount ? (int32_t)p->activation : -1;
    for (int64_t r = 0; r < rows; r += MR)
      forwardTile(output + r * outStride, outStride, input + r * inStride, inStride, packed, bias, in, activation);
    packed = bias + outStride;
    input = output;
  }
  const int64_t width = p->widths[p->layerCount];
  for (int64_t r = 0; r < rows; r++)
    memcpy(a->y + (first + r) * width, input + r * padded(width), (size_t)width * sizeof(float));
}

// A layer's dW is summed as [out, in] or, where that wastes less on padding, as [in, out].
static int64_t wholeTiles(int64_t width) { return (width + MR - 1) / MR * MR; }
static bool sumsTransposed(int64_t in, int64_t out) {
  return wholeTiles(in) * padded(out) < wholeTiles(out) * padded(in);
}
static int64_t layerFloats(int64_t in, int64_t out) {
  return padded(out) + (sumsTransposed(in, out) ? wholeTiles(in) * padded(out) : wholeTiles(out) * padded(in));
}
static int64_t gradientFloats(const perceptron_t *p) {
  int64_t floats = 0;
  for (int32_t l = 0; l < p->layerCount; l++) floats += layerFloats(p->widths[l], p->widths[l + 1]);
  return floats;
}

static void backwardBlock(
    const struct perceptron_backward *a, int64_t block, float *sums, float *delta, float *nextDelta) {
  const perceptron_t *p = a->p;
  const int64_t first = block * ROWS, rows = a->rows - first < ROWS ? a->rows - first : ROWS;
  const int64_t outputs = p->widths[p->layerCount];
  const float *activations = a->blocks + (block + 1) * blockFloats(p) - ROWS * padded(outputs);
  sums += gradientFloats(p);
  padRows(delta, a->dy + first * outputs, rows, outputs);
  for (int32_t l = p->layerCount - 1; l >= 0; l--) {
    const int64_t in = p->widths[l], out = p->widths[l + 1], inStride = padded(in), outStride = padded(out);
    activations -= ROWS * inStride;
    sums -= layerFloats(in, out);
    // db += Σ_r δ, dW += δᵀ·x.
    for (int64_t c = 0; c < outStride; c += WIDTH) {
      vec sum = load(sums + c);
      for (int64_t r = 0; r < rows; r++) sum += load(delta + r * outStride + c);
      store(sums + c, sum);
    }
    float *dW = sums + outStride;
    if (sumsTransposed(in, out)) {
      for (int64_t i = 0; i < in; i += MR)
        addTransposedProduct(dW + i * outStride, outStride, NULL, activations + i, inStride, delta, rows);
    } else {
      for (int64_t o = 0; o < out; o += MR)
        addTransposedProduct(dW + o * inStride, inStride, NULL, delta + o, outStride, activations, rows);
    }
    if (l == 0 && !a->dx) break;
    // δ of the layer below = (δ·W) · a'.
    for (int64_t r = 0; r < rows; r += MR)
      backwardTile(nextDelta + r * inStride, inStride, delta + r * outStride, outStride, a->weights[l], out,
                   l > 0 ? activations + r * inStride : NULL, (int32_t)p->activation);
    float *swapped = delta;
    delta = nextDelta;
    nextDelta = swapped;
  }
  if (a->dx)
    for (int64_t r = 0; r < rows; r++)
      memcpy(a->dx + (first + r) * p->widths[0], delta + r * padded(p->widths[0]),
             (size_t)p->widths[0] * sizeof(float));
}

static void backwardPart(const struct perceptron_backward *a, int64_t part) {
  const int64_t blocks = blockCount(a->rows), floats = gradientFloats(a->p), widest = widestLayer(a->p);
  float *sums = a->sums + part * floats, *deltas = a->deltas + part * 2 * ROWS * widest;
  memset(sums, 0, (size_t)floats * sizeof(float));
  for (int64_t b = blocks * part / a->parts; b < blocks * (part + 1) / a->parts; b++)
    backwardBlock(a, b, sums, deltas, deltas + ROWS * widest);
}

static void reduceLayer(const struct perceptron_backward *a, int32_t layer) {
  const perceptron_t *p = a->p;
  const int64_t floats = gradientFloats(p), in = p->widths[layer], out = p->widths[layer + 1];
  const float *sums = a->sums;
  for (int32_t l = 0; l < layer; l++) sums += layerFloats(p->widths[l], p->widths[l + 1]);
  for (int64_t o = 0; o < out; o++) {
    float sum = sums[o];
    for (int64_t part = 1; part < a->parts; part++) sum += sums[part * floats + o];
    a->dBiases[layer][o] = sum;
  }
  sums += padded(out);
  float *dW = a->dWeights[layer];
  if (sumsTransposed(in, out)) {
    for (int64_t o = 0; o < out; o++)
      for (int64_t i = 0; i < in; i++) {
        float sum = sums[i * padded(out) + o];
        for (int64_t part = 1; part < a->parts; part++) sum += sums[part * floats + i * padded(out) + o];
        dW[o * in + i] = sum;
      }
    return;
  }
  for (int64_t o = 0; o < out; o++) {
    const float *row = sums + o * padded(in);
    float *to = dW + o * in;
    int64_t i = 0;
    for (; i + WIDTH <= in; i += WIDTH) {
      vec sum = load(row + i);
      for (int64_t part = 1; part < a->parts; part++) sum += load(row + part * floats + i);
      store(to + i, sum);
    }
    for (; i < in; i++) {
      float sum = row[i];
      for (int64_t part = 1; part < a->parts; part++) sum += row[part * floats + i];
      to[i] = sum;
    }
  }
}

const struct perceptron_kernels TABLE = {
    .pack = pack,
    .forward = forwardBlock,
    .backward = backwardPart,
    .gradientFloats = gradientFloats,
    .reduce = reduceLayer,
};
