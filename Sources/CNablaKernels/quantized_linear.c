// Rounds activations to 8 bits and distributes panels of weight rows to threads. A panel's result does not depend on
// which thread computes it. Each thread begins with an equal range of panels, which it reads in memory order, and then
// steals from the ends of other threads' ranges.
#include <stdatomic.h>
#include "quantized_problem.h"
#include "threads.h"

static const struct quantized_kernels *const tables[] = {
    [NABLA_QUANTIZED_BASELINE] = &nabla_quantized_baseline,
#if defined(__x86_64__)
    [NABLA_QUANTIZED_AVX2] = &nabla_quantized_avx2,
    [NABLA_QUANTIZED_VNNI] = &nabla_quantized_vnni,
#endif
};

enum nabla_quantized_isa nabla_quantized_best_isa(void) {
  if (nabla_isa_in_use() >= NABLA_ISA_AVX512_VNNI) return NABLA_QUANTIZED_VNNI;
  if (nabla_isa_in_use() >= NABLA_ISA_AVX2) return NABLA_QUANTIZED_AVX2;
  return NABLA_QUANTIZED_BASELINE;
}

// ---- activations

int64_t nabla_quantized_rows_bytes(int64_t rows, int64_t columns) {
  return rows * (columns + (2 * (columns / 32) + columns / 16) * (int64_t)sizeof(float));
}

struct nabla_quantized_rows nabla_quantized_rows_in(void *memory, int64_t rows, int64_t columns) {
  float *scales = memory, *sums32 = scales + rows * (columns / 32), *sums16 = sums32 + rows * (columns / 32);
  return (struct nabla_quantized_rows){
      rows, columns, (int8_t *)(sums16 + rows * (columns / 16)), scales, sums16, sums32};
}

static inline INLINED void quantize_block(const float x[32], int64_t block, struct nabla_quantized_rows to) {
  // The largest magnitude by its bits, which order infinity and NaN above all numbers, so that they show in the result.
  uint32_t lanes[16], largest = 0;
  for (int i = 0; i < 16; i++) {
    uint32_t a = float_to_bits(x[i]) & 0x7fffffffu, b = float_to_bits(x[i + 16]) & 0x7fffffffu;
    lanes[i] = a > b ? a : b;
  }
  for (int i = 0; i < 16; i++) largest = lanes[i] > largest ? lanes[i] : largest;
  float d = bits_to_float(largest) / 127, inverse = d != 0 ? 1 / d : 0;
  int8_t *q = to.q + block * 32;
  int32_t sums[2] = {0, 0};
  for (int part = 0; part < 2; part++)
    for (int i = 0; i < 16; i++) {
      float v = __builtin_rintf(x[part * 16 + i] * inverse);
      v = v > -127 ? v : -127;
      int32_t n = (int32_t)(v < 127 ? v : 127);
      q[part * 16 + i] = (int8_t)n;
      sums[part] += n;
    }
  to.scales[block] = d;
  to.sums16[2 * block] = -d * (float)sums[0];
  to.sums16[2 * block + 1] = -d * (float)sums[1];
  to.sums32[block] = -d * (float)(sums[0] + sums[1]);
}

DISPATCHED(void, nabla_quantize_rows,
           (const float *x, int64_t begin, int64_t end, struct nabla_quantized_rows to), (x, begin, end, to)) {
  int64_t blocks = to.columns / 32;
  for (int64_t block = begin * blocks; block < end * blocks; block++) quantize_block(x + block * 32, block, to);
}

DISPATCHED(void, nabla_quantize_rows_bfloat16,
           (const uint16_t *x, int64_t begin, int64_t end, struct nabla_quantized_rows to), (x, begin, end, to)) {
  int64_t blocks = to.columns / 32;
  for (int64_t block = begin * blocks; block < end * blocks; block++) {
    float wide[32];
    for (int i = 0; i < 32; i++) wide[i] = bfloat16_to_float(x[block * 32 + i]);
    quantize_block(wide, block, to);
  }
}

// ---- panels

#define MAX_THREADS 256

// Panels from the first, in the low half, to the end, in the high half; in a cache line of its own.
struct share { _Alignas(64) _Atomic uint64_t range; };

struct region {
  struct nabla_quantized_rows x;
  const struct nabla_quantized_weight *weights;
  int64_t count, panels;
  float *y;
  const float *addend;
  int64_t stride;
  const struct quantized_kernels *kernels;
  int32_t threads;
  struct share *left;  // each thread's panels still to do
};

// A panel takes a microsecond or two, of which three divisions would be a tenth: heights and blocks are powers of two.
static int64_t panels_of(int64_t rows, int64_t height) {
  return (rows + height - 1) >> __builtin_ctzll((uint64_t)height);
}

static void run_panel(const struct region *r, int64_t panel) {
  const int64_t height = r->kernels->height;
  const struct nabla_quantized_weight *w = r->weights;
  for (; panel >= panels_of(w->rows, height); w++) panel -= panels_of(w->rows, height);
  const struct block_format format = block_format(w->type);
  const int64_t blocks = r->x.columns >> __builtin_ctz((unsigned)format.size), rowBytes = blocks * format.bytes;
  const int64_t row = panel * height;
  struct panel_task task = {
      .x = r->x,
      .blocks = (const uint8_t *)w->blocks + row * rowBytes,
      .count = w->rows - row < height ? w->rows - row : height,
      .rowBytes = rowBytes,
      .type = w->type,
      .bias = w->bias ? w->bias + row : NULL,
      .y = r->y + w->column + row,
      .addend = r->addend ? r->addend + w->column + row : NULL,
      .stride = r->stride,
  };
  r->kernels->run(&task);
}

/// Removes and returns the first or the last of the remaining panels; -1 if there is none.
static int64_t take(struct share *left, bool last) {
  uint64_t range = atomic_load(&left->range);
  for (;;) {
    const uint32_t begin = (uint32_t)range, end = (uint32_t)(range >> 32);
    if (begin >= end) return -1;
    const uint64_t rest = last ? range - ((uint64_t)1 << 32) : range + 1;
    if (atomic_compare_exchange_weak(&left->range, &range, rest)) return last ? end - 1 : begin;
  }
}

static void run_panels(void *context, int32_t thread, int32_t threads) {
  struct region *r = context;
  (void)threads;  // there may be fewer than requested
  for (int32_t i = 0; i < r->threads; i++) {
    const int32_t owner = (thread + i) % r->threads;
    for (int64_t panel; (panel = take(&r->left[owner], i > 0)) >= 0;) run_panel(r, panel);
  }
}

void nabla_quantized_linear(struct nabla_quantized_rows x, const struct nabla_quantized_weight *weights, int64_t count,
                            float *y, const float *addend, int64_t stride, enum nabla_quantized_isa isa,
                            int32_t threadCount) {
  const enum nabla_quantized_isa best = nabla_quantized_best_isa();
  struct share left[MAX_THREADS];
  struct region r = {
      .x = x,
      .weights = weights,
      .count = count,
      .y = y,
      .addend = addend,
      .stride = stride,
      .kernels = tables[isa == NABLA_QUANTIZED_BEST || isa > best ? best : isa],
      .left = left,
  };
  for (int64_t i = 0; i < count; i++) r.panels += panels_of(weights[i].rows, r.kernels->height);
  if (r.panels == 0 || x.rows == 0) return;
  r.threads = threadCount < MAX_THREADS ? threadCount : MAX_THREADS;
  if (r.threads > r.panels) r.threads = (int32_t)r.panels;
  for (int32_t t = 0; t < r.threads; t++) {
    const uint64_t begin = (uint64_t)(r.panels * t / r.threads), end = (uint64_t)(r.panels * (t + 1) / r.threads);
    atomic_init(&r.left[t].range, begin | end << 32);
  }
  nabla_parallel(r.threads, &r, run_panels);
}
