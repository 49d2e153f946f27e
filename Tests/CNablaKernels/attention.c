// Fused attention, forward and backward, against the naive one; and attention over a cache.
#include "check.h"

struct shape {
  int32_t batch, heads, keyValueHeads, queries, keys, size, causal, window;
  // A prefix and its branches, whose last takes the rest; 0 for neither.
  int32_t prefix, branch;
};

static void check(struct shape s, int bfloat16) {
  struct nabla_attention p = {
      .dtype = bfloat16 ? NABLA_ATTENTION_BFLOAT16 : NABLA_ATTENTION_FLOAT32, .batch = s.batch,
      .queryHeadCount = s.heads, .keyValueHeadCount = s.keyValueHeads, .queryLength = s.queries, .keyLength = s.keys,
      .headSize = s.size, .scale = 1 / sqrtf((float)s.size), .causal = s.causal != 0, .window = s.window};
  int32_t *bounds[4] = {NULL};  // starts, ends, gap starts, gap ends
  if (s.branch) {
    for (int i = 0; i < 4; i++) bounds[i] = memory(4 * s.batch * s.queries);
    for (int32_t i = 0; i < s.batch * s.queries; i++) {
      const int32_t at = i % s.queries, own = at < s.prefix ? s.prefix : s.prefix + (at - s.prefix) / s.branch * s.branch;
      bounds[0][i] = 0, bounds[1][i] = s.queries, bounds[2][i] = s.prefix, bounds[3][i] = own;
    }
    p.segmentStarts = bounds[0], p.segmentEnds = bounds[1], p.gapStarts = bounds[2], p.gapEnds = bounds[3];
  }
  const int64_t queries = (int64_t)s.batch * s.queries * s.heads * s.size;
  const int64_t keys = (int64_t)s.batch * s.keys * s.keyValueHeads * s.size;
  const int64_t counts[4] = {queries, keys, keys, queries}, element = bfloat16 ? 2 : 4;
  void *inputs[4];  // q, k, v, dout
  struct nabla_attention_view views[4];
  for (int i = 0; i < 4; i++) {
    float *x = numbers(counts[i]);
    inputs[i] = x;
    if (bfloat16) {
      inputs[i] = memory(2 * counts[i]);
      nabla_float_to_bfloat16(counts[i], x, inputs[i]);
      free(x);
    }
    const int64_t heads = i == 0 || i == 3 ? s.heads : s.keyValueHeads, time = i == 0 || i == 3 ? s.queries : s.keys;
    views[i] = (struct nabla_attention_view){inputs[i], time * heads * s.size, heads * s.size, s.size};
  }
  double *expected[4];  // out, dq, dk, dv
  const int64_t results[4] = {queries, queries, keys, keys};
  for (int i = 0; i < 4; i++) expected[i] = memory(8 * results[i]);
  nabla_attention_reference(&p, views[0], views[1], views[2], expected[0], NULL, NULL);
  nabla_attention_reference_backward(
      &p, views[0], views[1], views[2], views[3], expected[1], expected[2], expected[3]);

  static const char *const names[4] = {"attention", "attention, dq", "attention, dk", "attention, dv"};
  const double tolerances[2][4] = {{2e-6, 1e-5, 1e-5, 4e-6}, {4e-3, 1.5e-2, 1.5e-2, 8e-3}};
  void *first[4] = {NULL};
  float *lse = memory(4 * s.batch * s.heads * s.queries);
  for (int32_t threads = 1; threads <= 3; threads += 2) {
    void *actual[4];
    struct nabla_attention_output outputs[4];
    for (int i = 0; i < 4; i++) {
      const struct nabla_attention_view v = views[i == 0 ? 0 : i - 1];
      actual[i] = memory(element * results[i]);
      outputs[i] = (struct nabla_attention_output){actual[i], v.batchStride, v.timeStride, v.headStride};
    }
    nabla_attention_forward(&p, views[0], views[1], views[2], outputs[0], lse, threads);
    const struct nabla_attention_view out = {
        actual[0], outputs[0].batchStride, outputs[0].timeStride, outputs[0].headStride};
    nabla_attention_backward(
        &p, views[0], views[1], views[2], out, lse, views[3], outputs[1], outputs[2], outputs[3], threads);
    for (int i = 0; i < 4; i++) {
      if (bfloat16)
        near16(names[i], results[i], actual[i], expected[i], tolerances[1][i]);
      else
        near(names[i], results[i], actual[i], expected[i], tolerances[0][i]);
      if (first[i]) same("attention on three threads", element * results[i], first[i], actual[i]);
      free(first[i]);
      first[i] = actual[i];
    }
  }
  for (int i = 0; i < 4; i++) free(first[i]), free(expected[i]), free(inputs[i]), free(bounds[i]);
  free(lse);
}

/// One query a row over `length` cached positions.
static void check_cache(enum nabla_cache_type type, double tolerance) {
  enum { HEADS = 4, GROUPS = 2, SIZE = 40, LENGTH = 150, WIDTH = GROUPS * SIZE };
  float *keys = numbers(LENGTH * WIDTH), *values = numbers(LENGTH * WIDTH), *q = numbers(HEADS * SIZE);
  float k[64 * WIDTH], v[64 * WIDTH], out[HEADS * SIZE];
  const void *pages[3];
  for (int page = 0; page < 3; page++) {
    void *target = memory(GROUPS * nabla_cache_head_bytes(type, SIZE));
    const int64_t rows = page < 2 ? 64 : LENGTH - 128, at = page * 64 * WIDTH;
    nabla_cache_write(type, GROUPS, SIZE, false, rows, keys + at, values + at, WIDTH, target, 0);
    nabla_cache_read(type, GROUPS, SIZE, false, rows, target, k, v, WIDTH);
    double wide[64 * WIDTH];
    for (int64_t i = 0; i < rows * WIDTH; i++) wide[i] = keys[at + i];
    near("cached keys", rows * WIDTH, k, wide, type == NABLA_CACHE_FLOAT32 ? 0 : tolerance);
    memcpy(keys + at, k, (size_t)(rows * WIDTH) * 4);  // as they were rounded
    memcpy(values + at, v, (size_t)(rows * WIDTH) * 4);
    pages[page] = target;
  }
  const int32_t length = LENGTH, firstPage = 0;
  const struct nabla_decode p = {
      .type = type, .rows = 1, .queryHeadCount = HEADS, .keyValueHeadCount = GROUPS, .headSize = SIZE, .scale = 0.2f,
      .q = q, .queryStride = HEADS * SIZE, .out = out, .outStride = HEADS * SIZE, .lengths = &length, .pages = pages,
      .firstPage = &firstPage};
  nabla_decode_attention(&p, 2);
  double expected[HEADS * SIZE];
  for (int h = 0; h < HEADS; h++) {
    const int g = h / (HEADS / GROUPS);
    double weights[LENGTH], sum = 0;
    for (int t = 0; t < LENGTH; t++) {
      double score = 0;
      for (int d = 0; d < SIZE; d++) score += (double)q[h * SIZE + d] * keys[t * WIDTH + g * SIZE + d];
      sum += weights[t] = exp(score * 0.2f);
    }
    for (int d = 0; d < SIZE; d++) {
      expected[h * SIZE + d] = 0;
      for (int t = 0; t < LENGTH; t++) expected[h * SIZE + d] += weights[t] / sum * values[t * WIDTH + g * SIZE + d];
    }
  }
  near("attention over a cache", HEADS * SIZE, out, expected, 1e-5);
  for (int page = 0; page < 3; page++) free((void *)pages[page]);
  free(keys), free(values), free(q);
}

void test_attention(void) {
  const struct shape shapes[] = {
      {1, 1, 1, 1, 1, 1, 0, 0},    {2, 4, 2, 33, 33, 64, 1, 0},  {1, 3, 1, 70, 130, 20, 1, 0},
      {1, 2, 2, 100, 65, 48, 0, 0}, {1, 2, 1, 130, 130, 32, 1, 40}, {1, 1, 1, 65, 200, 256, 1, 0},
      {2, 2, 1, 90, 90, 32, 1, 0, 40, 20}, {1, 4, 2, 500, 500, 16, 1, 0, 70, 150}, {1, 2, 2, 300, 300, 24, 1, 0, 3, 7}};
  for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int bfloat16 = 0; bfloat16 < 2; bfloat16++) check(shapes[i], bfloat16);
  check_cache(NABLA_CACHE_FLOAT32, 0);
  check_cache(NABLA_CACHE_BFLOAT16, 4e-3);
  check_cache(NABLA_CACHE_INT8, 1e-2);
}
