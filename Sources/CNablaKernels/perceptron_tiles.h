// All perceptron kernels of one instruction set. The including file defines TABLE, WIDTH, MR and NR; see tiles.h.
#include "perceptron_problem.h"
#include "tiles.h"

_Static_assert(ROWS % MR == 0 && 16 % MR == 0 && 16 % WIDTH == 0, "blocks and padded widths hold whole tiles");

// 1 / x, accurate to the next-to-last bit: a division would take twice as long as the rest of a tanh.
INLINE vec reciprocal(vec x) {
#if WIDTH == 16
  const vec y = (vec)_mm512_rcp14_ps((__m512)x);
  return y + y * (splat(1) - x * y);
#else
  return splat(1) / x;
#endif
}

// tanh by the rational function of vectormath.h. Beyond ±9.2 its magnitude exceeds 1, and is clamped.
INLINE vec tanhVector(vec x) {
  x = choose(x < splat(-10), splat(-10), x);
  x = choose(x > splat(10), splat(10), x);
  const vec s = x * x;
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
  vec y = x * p * reciprocal(q);
  y = choose(y < splat(-1), splat(-1), y);
  return choose(y > splat(1), splat(1), y);
}

// y = a(y), in a separate pass: the constants of tanh then stay in registers.
static void activate(float *y, int64_t count, enum nabla_perceptron_activation activation) {
  if (activation == NABLA_PERCEPTRON_TANH)
    for (int64_t i = 0; i < count; i += WIDTH) store(y + i, tanhVector(load(y + i)));
  else
    for (int64_t i = 0; i < count; i += WIDTH) {
      const vec v = load(y + i);
      store(y + i, choose(v < splat(0), splat(0), v));
    }
}

// Loops over registers must be unrolled, or the compiler keeps the sums in memory.
#define EACH_REGISTER _Pragma("clang loop unroll(full)")

// One register block of rows of a layer: y = bias + x·Wᵀ; weights are [in, padded(out)].
#define FORWARD_STRIP(N)                                                                                        \
  {                                                                                                             \
    vec acc[MR][N];                                                                                             \
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++) acc[m][n] = load(bias + c + n * WIDTH);                         \
    ACCUMULATE(N, acc, x, inStride, 1, weights + c, outStride, in)                                              \
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++) store(y + m * outStride + c + n * WIDTH, acc[m][n]);            \
  }
static void forwardTile(
    float *y, int64_t outStride, const float *x, int64_t inStride, const float *weights, const float *bias, int64_t in) {
  int64_t c = 0;
  for (; c + STRIP <= outStride; c += STRIP) FORWARD_STRIP(NR)
  for (; c < outStride; c += WIDTH) FORWARD_STRIP(1)
}

// One register block of rows of the gradient of a layer's input: dx = (δ·W) · a'(z), where y = a(z) = x gives a'; y
// NULL for no activation. Weights are [out, padded(in)].
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

// Copies rows of `width` floats, `fromStride` apart, into [≥ rows, padded(width)]: zeros beside them, and below up to
// whole register blocks.
static void padRows(float *to, const float *from, int64_t fromStride, int64_t rows, int64_t width) {
  const int64_t stride = padded(width), whole = (rows + MR - 1) / MR * MR;
  // Most are narrow: a call per row would take longer than the row.
  memset(to, 0, (size_t)(whole * stride) * sizeof(float));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < width; i++) to[r * stride + i] = from[r * fromStride + i];
}

// to[c][r] = from[r][c].
static void transposeMatrix(
    float *to, int64_t toStride, const float *from, int64_t fromStride, int64_t rows, int64_t columns) {
  if (rows % 4 == 0 && columns % 4 == 0) {
    transpose(to, toStride, from, fromStride, rows, columns, 1);
  } else {
    for (int64_t r = 0; r < rows; r++)
      for (int64_t c = 0; c < columns; c++) to[c * toStride + r] = from[r * fromStride + c];
  }
}
static void transposeWeights(int64_t in, int64_t out, const float *weights, float *transposed) {
  const int64_t stride = padded(out);
  transposeMatrix(transposed, stride, weights, in, out, in);
  if (out < stride)
    for (int64_t i = 0; i < in; i++)
      memset(transposed + i * stride + out, 0, (size_t)(stride - out) * sizeof(float));
}

static void forwardBlock(const struct perceptron_forward *a, int64_t block) {
  const perceptron_t *p = a->p;
  const int64_t first = block * ROWS, rows = a->rows - first < ROWS ? a->rows - first : ROWS;
  const float *bias = a->biases;
  float *input = a->blocks + block * blockFloats(p);
  padRows(input, a->x + first * p->widths[0], p->widths[0], rows, p->widths[0]);
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t in = p->widths[l], inStride = padded(in), outStride = padded(p->widths[l + 1]);
    float *output = input + ROWS * inStride;
    int64_t r = 0;
    for (; r < rows; r += MR)
      forwardTile(output + r * outStride, outStride, input + r * inStride, inStride, p->transposed[l], bias, in);
    if (l + 1 < p->layerCount) activate(output, r * outStride, p->activation);
    bias += outStride;
    input = output;
  }
  const int64_t width = p->widths[p->layerCount];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t o = 0; o < width; o++) a->y[(first + r) * a->yStride + o] = input[r * padded(width) + o];
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

// c[MR][stride] = or += A B, with A's columns contiguous: a[r · aStride + m].
#define OUTER_STRIP(N)                                                                                          \
  {                                                                                                             \
    vec acc[MR][N];                                                                                             \
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++)                                                                 \
        acc[m][n] = adds ? load(c + m * stride + i + n * WIDTH) : splat(0);                                     \
    ACCUMULATE(N, acc, a, 1, aStride, b + i, stride, depth)                                                     \
    EACH_REGISTER for (int m = 0; m < MR; m++)                                                                  \
      EACH_REGISTER for (int n = 0; n < N; n++) store(c + m * stride + i + n * WIDTH, acc[m][n]);               \
  }
static void outerProducts(
    float *c, int64_t stride, const float *a, int64_t aStride, const float *b, int64_t depth, bool adds) {
  int64_t i = 0;
  for (; i + STRIP <= stride; i += STRIP) OUTER_STRIP(NR)
  for (; i < stride; i += WIDTH) OUTER_STRIP(1)
}

// sums[columns] = or += Σ_r δ, several columns at once so that they need not wait for each other's additions.
#define BIAS_STRIP(N)                                                                                           \
  {                                                                                                             \
    vec sum[N];                                                                                                 \
    EACH_REGISTER for (int n = 0; n < N; n++) sum[n] = adds ? load(sums + c + n * WIDTH) : splat(0);            \
    for (int64_t r = 0; r < rows; r++)                                                                          \
      EACH_REGISTER for (int n = 0; n < N; n++) sum[n] += load(delta + r * stride + c + n * WIDTH);             \
    EACH_REGISTER for (int n = 0; n < N; n++) store(sums + c + n * WIDTH, sum[n]);                              \
  }
static void addRows(float *sums, const float *delta, int64_t stride, int64_t rows, bool adds) {
  int64_t c = 0;
  for (; c + 4 * WIDTH <= stride; c += 4 * WIDTH) BIAS_STRIP(4)
  for (; c < stride; c += WIDTH) BIAS_STRIP(1)
}

// Adds to the sums, or initializes them.
static void backwardBlock(
    const struct perceptron_backward *a, int64_t block, bool adds, float *sums, float *delta, float *nextDelta) {
  const perceptron_t *p = a->p;
  const int64_t first = block * ROWS, rows = a->rows - first < ROWS ? a->rows - first : ROWS;
  const int64_t outputs = p->widths[p->layerCount];
  const float *activations = a->blocks + (block + 1) * blockFloats(p) - ROWS * padded(outputs);
  sums += gradientFloats(p);
  padRows(delta, a->dy + first * a->dyStride, a->dyStride, rows, outputs);
  for (int32_t l = p->layerCount - 1; l >= 0; l--) {
    const int64_t in = p->widths[l], out = p->widths[l + 1], inStride = padded(in), outStride = padded(out);
    activations -= ROWS * inStride;
    sums -= layerFloats(in, out);
    // db += Σ_r δ, dW += δᵀ·x.
    addRows(sums, delta, outStride, rows, adds);
    float *dW = sums + outStride;
    if (sumsTransposed(in, out)) {
      for (int64_t i = 0; i < in; i += MR)
        outerProducts(dW + i * outStride, outStride, activations + i, inStride, delta, rows, adds);
    } else {
      for (int64_t o = 0; o < out; o += MR)
        outerProducts(dW + o * inStride, inStride, delta + o, outStride, activations, rows, adds);
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
  const int64_t first = blocks * part / a->parts;
  for (int64_t b = first; b < blocks * (part + 1) / a->parts; b++)
    backwardBlock(a, b, b > first, sums, deltas, deltas + ROWS * widest);
}

static void reduceLayer(const struct perceptron_backward *a, int32_t layer) {
  const perceptron_t *p = a->p;
  const int64_t floats = gradientFloats(p), in = p->widths[layer], out = p->widths[layer + 1];
  float *sums = a->sums;
  for (int32_t l = 0; l < layer; l++) sums += layerFloats(p->widths[l], p->widths[l + 1]);
  for (int64_t part = 1; part < a->parts; part++)
    for (int64_t i = 0; i < layerFloats(in, out); i += WIDTH)
      store(sums + i, load(sums + i) + load(sums + part * floats + i));
  memcpy(a->dBiases[layer], sums, (size_t)out * sizeof(float));
  sums += padded(out);
  if (sumsTransposed(in, out)) {
    transposeMatrix(a->dWeights[layer], in, sums, padded(out), in, out);
  } else {
    for (int64_t o = 0; o < out; o++)
      memcpy(a->dWeights[layer] + o * in, sums + o * padded(in), (size_t)in * sizeof(float));
  }
}

const struct perceptron_kernels TABLE = {
    .transpose = transposeWeights,
    .forward = forwardBlock,
    .backward = backwardPart,
    .gradientFloats = gradientFloats,
    .reduce = reduceLayer,
};
