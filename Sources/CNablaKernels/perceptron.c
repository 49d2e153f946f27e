// Hands blocks of a perceptron's rows to threads.
#include <string.h>
#include "include/sharing.h"
#include "perceptron_problem.h"

static const struct perceptron_kernels *const tables[] = {
    [NABLA_ATTENTION_BASELINE] = &nabla_perceptron_baseline,
#if defined(__x86_64__)
    [NABLA_ATTENTION_AVX2] = &nabla_perceptron_avx2,
    [NABLA_ATTENTION_AVX512] = &nabla_perceptron_avx512,
#endif
};

static const struct perceptron_kernels *kernelsFor(enum nabla_attention_isa isa) {
  const enum nabla_attention_isa best = nabla_attention_best_isa();
  return tables[isa == NABLA_ATTENTION_BEST || isa > best ? best : isa];
}

int64_t nabla_perceptron_transposed_floats(int64_t in, int64_t out) { return in * padded(out); }
void nabla_perceptron_transpose(int64_t in, int64_t out, const float *weights, float *transposed) {
  kernelsFor(NABLA_ATTENTION_BEST)->transpose(in, out, weights, transposed);
}

// Below a quarter of a million multiplications (57 rows of a 4-64-64-2 network) sharing costs more than it gains.
static int32_t threadsFor(const perceptron_t *p, int64_t rows, int32_t threadCount) {
  int64_t products = 0;
  for (int32_t l = 0; l < p->layerCount; l++) products += rows * p->widths[l] * p->widths[l + 1];
  return products < 250000 ? 1 : threadCount;
}

struct forward_region {
  struct perceptron_forward a;
  const struct perceptron_kernels *kernels;
};

static void forwardPiece(void *context, int64_t block) {
  const struct forward_region *r = context;
  r->kernels->forward(&r->a, block);
}

int64_t nabla_perceptron_forward_floats(const perceptron_t *p, int64_t rows) {
  return biasFloats(p) + blockCount(rows) * blockFloats(p);
}

void nabla_perceptron_forward(const perceptron_t *p, int64_t rows, const float *x, float *scratch, float *y,
                              int32_t threadCount) {
  float *bias = scratch;
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t out = p->widths[l + 1];
    memcpy(bias, p->biases[l], (size_t)out * sizeof(float));
    memset(bias + out, 0, (size_t)(padded(out) - out) * sizeof(float));
    bias += padded(out);
  }
  struct forward_region r = {{p, rows, x, scratch, bias, y}, kernelsFor(p->isa)};
  nabla_share(threadsFor(p, rows, threadCount), blockCount(rows), &r, forwardPiece);
}

static int64_t partCount(int64_t rows) {
  const int64_t parts = (blockCount(rows) + PART_BLOCKS - 1) / PART_BLOCKS;
  return parts < MAX_PARTS ? parts : MAX_PARTS;
}
// Weights whose rows are not whole vectors, with zeros beside them.
static int64_t paddedWeightFloats(const perceptron_t *p) {
  int64_t floats = 0;
  for (int32_t l = 0; l < p->layerCount; l++)
    if (p->widths[l] % 16) floats += p->widths[l + 1] * padded(p->widths[l]);
  return floats;
}

struct backward_region {
  struct perceptron_backward a;
  const struct perceptron_kernels *kernels;
};

static void backwardPiece(void *context, int64_t part) {
  const struct backward_region *r = context;
  r->kernels->backward(&r->a, part);
}
static void reducePiece(void *context, int64_t layer) {
  const struct backward_region *r = context;
  r->kernels->reduce(&r->a, (int32_t)layer);
}

int64_t nabla_perceptron_backward_floats(const perceptron_t *p, int64_t rows) {
  return partCount(rows) * (kernelsFor(p->isa)->gradientFloats(p) + 2 * ROWS * widestLayer(p)) + paddedWeightFloats(p);
}

void nabla_perceptron_backward(const perceptron_t *p, int64_t rows, const float *saved, const float *dy,
                               float *scratch, float *dx, float *const *dWeights, float *const *dBiases,
                               int32_t threadCount) {
  const struct perceptron_kernels *kernels = kernelsFor(p->isa);
  const int64_t parts = partCount(rows);
  const float *paddedWeights[NABLA_PERCEPTRON_MAX_LAYERS];
  float *copy = scratch;
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t in = p->widths[l], out = p->widths[l + 1];
    paddedWeights[l] = p->weights[l];
    if (in % 16 == 0 || (l == 0 && !dx)) continue;
    paddedWeights[l] = copy;
    for (int64_t o = 0; o < out; o++, copy += padded(in)) {
      memcpy(copy, p->weights[l] + o * in, (size_t)in * sizeof(float));
      memset(copy + in, 0, (size_t)(padded(in) - in) * sizeof(float));
    }
  }
  float *sums = scratch + paddedWeightFloats(p), *deltas = sums + parts * kernels->gradientFloats(p);
  struct backward_region r = {
      {p, rows, parts, paddedWeights, saved + biasFloats(p), dy, sums, deltas, dx, dWeights, dBiases}, kernels};
  if (parts == 0) {  // no rows: every gradient is zero
    for (int32_t l = 0; l < p->layerCount; l++) {
      memset(dWeights[l], 0, (size_t)p->widths[l] * (size_t)p->widths[l + 1] * sizeof(float));
      memset(dBiases[l], 0, (size_t)p->widths[l + 1] * sizeof(float));
    }
    return;
  }
  const int32_t threads = threadsFor(p, rows, threadCount);
  nabla_share(threads, parts, &r, backwardPiece);
  nabla_share(parts * kernels->gradientFloats(p) < 100000 ? 1 : threads, p->layerCount, &r, reducePiece);
}
