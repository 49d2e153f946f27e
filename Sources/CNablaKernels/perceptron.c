// Distributes blocks of rows of perceptrons to threads.
#include <stdbool.h>
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

// Below a quarter of a million multiplications (57 rows of a 4-64-64-2 network) multithreading costs more than it
// gains.
static int32_t threadsFor(const perceptron_t *networks, int32_t count, int64_t rows, int32_t threadCount) {
  int64_t products = 0;
  for (const perceptron_t *p = networks; p < networks + count; p++)
    for (int32_t l = 0; l < p->layerCount; l++) products += rows * p->widths[l] * p->widths[l + 1];
  return products < 250000 ? 1 : threadCount;
}

static int64_t outputs(const perceptron_t *p) { return p->widths[p->layerCount]; }
static int64_t allOutputs(const perceptron_t *networks, int32_t count) {
  int64_t sum = 0;
  for (int32_t k = 0; k < count; k++) sum += outputs(networks + k);
  return sum;
}

struct forward_region {
  struct perceptron_forward networks[NABLA_PERCEPTRON_MAX_NETWORKS];
  int64_t blocks;
  const struct perceptron_kernels *kernels;
};

static void forwardPiece(void *context, int64_t piece) {
  const struct forward_region *r = context;
  r->kernels->forward(&r->networks[piece / r->blocks], piece % r->blocks);
}

static int64_t forwardFloats(const perceptron_t *p, int64_t rows) {
  return biasFloats(p) + blockCount(rows) * blockFloats(p);
}
int64_t nabla_perceptron_forward_floats(const perceptron_t *networks, int32_t count, int64_t rows) {
  int64_t floats = 0;
  for (int32_t k = 0; k < count; k++) floats += forwardFloats(networks + k, rows);
  return floats;
}

// The biases of all layers, padded; where they end.
static float *padBiases(const perceptron_t *p, float *bias) {
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t out = p->widths[l + 1];
    memcpy(bias, p->biases[l], (size_t)out * sizeof(float));
    memset(bias + out, 0, (size_t)(padded(out) - out) * sizeof(float));
    bias += padded(out);
  }
  return bias;
}

void nabla_perceptron_forward(const perceptron_t *networks, int32_t count, int64_t rows, const float *x,
                              float *scratch, float *y, int32_t threadCount) {
  struct forward_region r = {.blocks = blockCount(rows), .kernels = kernelsFor(networks->isa)};
  const int64_t yStride = allOutputs(networks, count);
  for (int32_t k = 0; k < count; k++) {
    const perceptron_t *p = networks + k;
    r.networks[k] = (struct perceptron_forward){p, rows, x, scratch, padBiases(p, scratch), y, yStride};
    scratch += forwardFloats(p, rows);
    y += outputs(p);
  }
  nabla_share(threadsFor(networks, count, rows, threadCount), count * r.blocks, &r, forwardPiece);
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
static void padWeights(const perceptron_t *p, bool first, float *copy, const float **weights) {
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t in = p->widths[l], out = p->widths[l + 1];
    weights[l] = p->weights[l];
    if (in % 16 == 0 || (l == 0 && !first)) continue;
    weights[l] = copy;
    for (int64_t o = 0; o < out; o++, copy += padded(in)) {
      memcpy(copy, p->weights[l] + o * in, (size_t)in * sizeof(float));
      memset(copy + in, 0, (size_t)(padded(in) - in) * sizeof(float));
    }
  }
}

struct backward_region {
  struct perceptron_backward networks[NABLA_PERCEPTRON_MAX_NETWORKS];
  const float *weights[NABLA_PERCEPTRON_MAX_NETWORKS][NABLA_PERCEPTRON_MAX_LAYERS];
  int64_t parts;
  const struct perceptron_kernels *kernels;
};

static void backwardPiece(void *context, int64_t piece) {
  const struct backward_region *r = context;
  r->kernels->backward(&r->networks[piece / r->parts], piece % r->parts);
}
static void reducePiece(void *context, int64_t piece) {
  const struct backward_region *r = context;
  int64_t network = 0;
  for (; piece >= r->networks[network].p->layerCount; network++) piece -= r->networks[network].p->layerCount;
  r->kernels->reduce(&r->networks[network], (int32_t)piece);
}

static int64_t backwardFloats(const perceptron_t *p, int64_t rows) {
  return partCount(rows) * (kernelsFor(p->isa)->gradientFloats(p) + 2 * ROWS * widestLayer(p)) + paddedWeightFloats(p);
}
int64_t nabla_perceptron_backward_floats(const perceptron_t *networks, int32_t count, int64_t rows) {
  int64_t floats = 0;
  for (int32_t k = 0; k < count; k++) floats += backwardFloats(networks + k, rows);
  return floats;
}

void nabla_perceptron_backward(const perceptron_t *networks, int32_t count, int64_t rows, const float *saved,
                               const float *dy, float *scratch, float *dx, float *const *dWeights,
                               float *const *dBiases, int32_t threadCount) {
  const struct perceptron_kernels *kernels = kernelsFor(networks->isa);
  struct backward_region r = {.parts = partCount(rows), .kernels = kernels};
  const int64_t dyStride = allOutputs(networks, count);
  int64_t layers = 0, sumFloats = 0;
  for (int32_t k = 0; k < count; k++) {
    const perceptron_t *p = networks + k;
    padWeights(p, dx != NULL, scratch, r.weights[k]);
    float *sums = scratch + paddedWeightFloats(p), *deltas = sums + r.parts * kernels->gradientFloats(p);
    r.networks[k] = (struct perceptron_backward){
        p, rows, r.parts, r.weights[k], saved + biasFloats(p), dy, dyStride, sums, deltas,
        dx ? dx + k * rows * p->widths[0] : NULL, dWeights + layers, dBiases + layers};
    saved += forwardFloats(p, rows);
    scratch += backwardFloats(p, rows);
    dy += outputs(p);
    layers += p->layerCount;
    sumFloats += r.parts * kernels->gradientFloats(p);
    if (r.parts == 0)  // no rows: every gradient is zero
      for (int32_t l = 0; l < p->layerCount; l++) {
        memset(r.networks[k].dWeights[l], 0, (size_t)p->widths[l] * (size_t)p->widths[l + 1] * sizeof(float));
        memset(r.networks[k].dBiases[l], 0, (size_t)p->widths[l + 1] * sizeof(float));
      }
  }
  if (r.parts == 0) return;
  const int32_t threads = threadsFor(networks, count, rows, threadCount);
  nabla_share(threads, count * r.parts, &r, backwardPiece);
  nabla_share(sumFloats < 100000 ? 1 : threads, layers, &r, reducePiece);
}
