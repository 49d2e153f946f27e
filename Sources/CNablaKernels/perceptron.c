// Hands blocks of a perceptron's rows to threads.
#include <string.h>
#include "include/threads.h"
#include "perceptron_problem.h"

static const struct perceptron_kernels *const tables[] = {
    [NABLA_ATTENTION_BASELINE] = &nabla_perceptron_baseline,
#if defined(__x86_64__)
    [NABLA_ATTENTION_AVX2] = &nabla_perceptron_avx2,
    [NABLA_ATTENTION_AVX512] = &nabla_perceptron_avx512,
#endif
};

static const struct perceptron_kernels *kernelsFor(const perceptron_t *p) {
  const enum nabla_attention_isa best = nabla_attention_best_isa();
  return tables[p->isa == NABLA_ATTENTION_BEST || p->isa > best ? best : p->isa];
}

// Two threads wait for each other at the end of every call. On quiet cores that costs a microsecond, and 256 rows of a
// 4-64-64-2 network (1.2 million multiplications) take three quarters of the time; on cores that other programs use too it
// costs a time slice, and the same training took ten times as long. So a call must be worth it.
static int32_t threadsFor(const perceptron_t *p, int64_t rows, int64_t tasks, int32_t threadCount) {
  if (rows * packedFloats(p) < 4000000) return 1;
  return threadCount < tasks ? threadCount : (int32_t)tasks;
}

struct forward_region {
  struct perceptron_forward a;
  const struct perceptron_kernels *kernels;
};

static void forwardTasks(void *context, int32_t thread, int32_t threads) {
  const struct forward_region *r = context;
  const int64_t blocks = blockCount(r->a.rows);
  for (int64_t b = blocks * thread / threads; b < blocks * (thread + 1) / threads; b++) r->kernels->forward(&r->a, b);
}

int64_t nabla_perceptron_forward_floats(const perceptron_t *p, int64_t rows) {
  return packedFloats(p) + blockCount(rows) * blockFloats(p);
}

void nabla_perceptron_forward(const perceptron_t *p, int64_t rows, const float *x, const float *const *weights,
                              const float *const *biases, float *scratch, float *y, int32_t threadCount) {
  struct forward_region r = {{p, rows, x, scratch, scratch + packedFloats(p), y}, kernelsFor(p)};
  r.kernels->pack(p, weights, biases, scratch);
  nabla_parallel(threadsFor(p, rows, blockCount(rows), threadCount), &r, forwardTasks);
}

static int64_t partCount(int64_t rows) { return blockCount(rows) < MAX_PARTS ? blockCount(rows) : MAX_PARTS; }
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

static void backwardTasks(void *context, int32_t thread, int32_t threads) {
  const struct backward_region *r = context;
  for (int64_t part = r->a.parts * thread / threads; part < r->a.parts * (thread + 1) / threads; part++)
    r->kernels->backward(&r->a, part);
}
static void reduceTasks(void *context, int32_t thread, int32_t threads) {
  const struct backward_region *r = context;
  for (int32_t l = thread; l < r->a.p->layerCount; l += threads) r->kernels->reduce(&r->a, l);
}

int64_t nabla_perceptron_backward_floats(const perceptron_t *p, int64_t rows) {
  return partCount(rows) * (kernelsFor(p)->gradientFloats(p) + 2 * ROWS * widestLayer(p)) + paddedWeightFloats(p);
}

void nabla_perceptron_backward(const perceptron_t *p, int64_t rows, const float *const *weights, const float *saved,
                               const float *dy, float *scratch, float *dx, float *const *dWeights,
                               float *const *dBiases, int32_t threadCount) {
  const struct perceptron_kernels *kernels = kernelsFor(p);
  const int64_t parts = partCount(rows);
  const float *paddedWeights[NABLA_PERCEPTRON_MAX_LAYERS];
  float *copy = scratch;
  for (int32_t l = 0; l < p->layerCount; l++) {
    const int64_t in = p->widths[l], out = p->widths[l + 1];
    paddedWeights[l] = weights[l];
    if (in % 16 == 0 || (l == 0 && !dx)) continue;
    paddedWeights[l] = copy;
    for (int64_t o = 0; o < out; o++, copy += padded(in)) {
      memcpy(copy, weights[l] + o * in, (size_t)in * sizeof(float));
      memset(copy + in, 0, (size_t)(padded(in) - in) * sizeof(float));
    }
  }
  float *sums = scratch + paddedWeightFloats(p), *deltas = sums + parts * kernels->gradientFloats(p);
  struct backward_region r = {
      {p, rows, parts, paddedWeights, saved + packedFloats(p), dy, sums, deltas, dx, dWeights, dBiases}, kernels};
  const int32_t threads = threadsFor(p, rows, parts, threadCount);
  if (parts > 0) nabla_parallel(threads, &r, backwardTasks);
  if (parts == 0) {  // no rows: every gradient is zero
    for (int32_t l = 0; l < p->layerCount; l++) {
      memset(dWeights[l], 0, (size_t)p->widths[l] * (size_t)p->widths[l + 1] * sizeof(float));
      memset(dBiases[l], 0, (size_t)p->widths[l + 1] * sizeof(float));
    }
    return;
  }
  nabla_parallel(parts * packedFloats(p) < 100000 ? 1 : threads, &r, reduceTasks);
}
