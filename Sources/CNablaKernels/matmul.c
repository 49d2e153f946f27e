// Matrix multiplication through oneDNN, whose primitives are cached by shape. Very small ones run in our own
// loops: oneDNN's fixed cost (about 2 µs) would dominate.
#include "matmul.h"
#include <pthread.h>
#include <stdlib.h>
#include "conversion.h"
#include "kernel.h"
#include "threads.h"

#if !__has_include(<oneapi/dnnl/dnnl.h>)
#error "oneDNN is missing: install it with 'apt-get install libdnnl-dev' (or run 'make setup')"
#endif
#include <oneapi/dnnl/dnnl.h>

// oneDNN divides a primitive among as many threads as there were when it was created.
struct key {
  struct nabla_matmul problem;
  int64_t threads;
};
struct entry {
  struct key key;
  dnnl_primitive_t primitive;
  dnnl_memory_t a, b, bias, c;
};

// One cache per thread: no locks, and a memory object is never used by two threads. Open addressing; cleared when it
// fills up.
#define TABLE 1024
static _Thread_local struct entry *table;
static _Thread_local int32_t used;
static dnnl_engine_t engine;
static _Thread_local dnnl_stream_t stream;

static pthread_key_t ending;

static void destroy(struct entry *e) {
  dnnl_primitive_destroy(e->primitive);
  dnnl_memory_destroy(e->a);
  dnnl_memory_destroy(e->b);
  dnnl_memory_destroy(e->c);
  if (e->bias) dnnl_memory_destroy(e->bias);
  memset(e, 0, sizeof *e);
}

/// A thread frees its primitives when it exits: inference engines come and go.
static void end_thread(void *memory) {
  struct entry *entries = memory;
  for (int i = 0; i < TABLE; i++)
    if (entries[i].primitive) destroy(&entries[i]);
  free(entries);
  dnnl_stream_destroy(stream);
}

static void create_engine(void) {
  dnnl_engine_create(&engine, dnnl_cpu, 0);
  pthread_key_create(&ending, end_thread);
}

static dnnl_data_type_t type_of(int32_t type) { return type == NABLA_BFLOAT16 ? dnnl_bf16 : dnnl_f32; }

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor;
#define REFERENCE(d) (d)
#define RELEASE(d) dnnl_memory_desc_destroy(d)
static dnnl_status_t describe(descriptor *d, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                              const dnnl_dims_t strides) {
  return dnnl_memory_desc_create_with_strides(d, ndims, dims, type, strides);
}
#else
typedef dnnl_memory_desc_t descriptor;
#define REFERENCE(d) (&(d))
#define RELEASE(d) (void)(d)
static dnnl_status_t describe(descriptor *d, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                              const dnnl_dims_t strides) {
  return dnnl_memory_desc_init_by_strides(d, ndims, dims, type, strides);
}
#endif

static dnnl_status_t create(const struct nabla_matmul *p, struct entry *e) {
  descriptor a, b, bias, c;
  dnnl_dims_t dimsA = {p->batch, p->m, p->k}, dimsB = {p->batch, p->k, p->n}, dimsC = {p->batch, p->m, p->n};
  dnnl_dims_t dimsBias = {1, 1, p->n};
  dnnl_dims_t stridesA = {p->batchA, p->rowA, p->columnA}, stridesB = {p->batchB, p->rowB, p->columnB};
  dnnl_dims_t stridesC = {p->batchC, p->rowC, 1}, stridesBias = {p->n, p->n, 1};
  // One matrix needs no batch dimension: the two-dimensional kernels are faster.
  int ndims = p->batch == 1 ? 2 : 3, skip = p->batch == 1 ? 1 : 0;
  dnnl_status_t status = describe(&a, ndims, dimsA + skip, type_of(p->typeA), stridesA + skip);
  if (!status) status = describe(&b, ndims, dimsB + skip, type_of(p->typeB), stridesB + skip);
  if (!status) status = describe(&c, ndims, dimsC + skip, type_of(p->typeC), stridesC + skip);
  if (!status && p->hasBias) status = describe(&bias, ndims, dimsBias + skip, dnnl_f32, stridesBias + skip);
  if (status) return status;

  dnnl_primitive_attr_t attributes;
  dnnl_primitive_attr_create(&attributes);
  if (p->accumulate) {
    dnnl_post_ops_t sum;
    dnnl_post_ops_create(&sum);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_post_ops_append_sum(sum, 1.0f, 0, dnnl_data_type_undef);
#else
    dnnl_post_ops_append_sum(sum, 1.0f);
#endif
    dnnl_primitive_attr_set_post_ops(attributes, sum);
    dnnl_post_ops_destroy(sum);
  }
  dnnl_primitive_desc_t description;
#if DNNL_VERSION_MAJOR >= 3
  status = dnnl_matmul_primitive_desc_create(&description, engine, a, b, p->hasBias ? bias : NULL, c, attributes);
#else
  dnnl_matmul_desc_t operation;
  status = dnnl_matmul_desc_init(&operation, &a, &b, p->hasBias ? &bias : NULL, &c);
  if (!status) status = dnnl_primitive_desc_create(&description, &operation, attributes, engine, NULL);
#endif
  dnnl_primitive_attr_destroy(attributes);
  if (!status) {
    status = dnnl_primitive_create(&e->primitive, description);
    dnnl_primitive_desc_destroy(description);
  }
  if (!status) {
    dnnl_memory_create(&e->a, REFERENCE(a), engine, DNNL_MEMORY_NONE);
    dnnl_memory_create(&e->b, REFERENCE(b), engine, DNNL_MEMORY_NONE);
    dnnl_memory_create(&e->c, REFERENCE(c), engine, DNNL_MEMORY_NONE);
    if (p->hasBias) dnnl_memory_create(&e->bias, REFERENCE(bias), engine, DNNL_MEMORY_NONE);
  }
  RELEASE(a);
  RELEASE(b);
  RELEASE(c);
  if (p->hasBias) RELEASE(bias);
  return status;
}

static uint64_t hash(const struct key *key) {
  uint64_t words[sizeof *key / 8], h = 1469598103934665603u;
  memcpy(words, key, sizeof words);
  for (unsigned i = 0; i < sizeof words / 8; i++) h = (h ^ words[i]) * 1099511628211u, h ^= h >> 29;
  return h;
}

static struct entry *lookup(const struct nabla_matmul *p, dnnl_status_t *status) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (!table) {
    pthread_once(&once, create_engine);
    // A oneDNN built for another runtime (SYCL, say) has no engine where that is missing.
    if (!engine) return *status = dnnl_runtime_error, NULL;
    table = calloc(TABLE, sizeof *table);
    dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    pthread_setspecific(ending, table);
  }
  const struct key key = {*p, nabla_thread_count()};
  uint64_t slot = hash(&key) % TABLE;
  for (; table[slot].primitive; slot = (slot + 1) % TABLE)
    if (!memcmp(&table[slot].key, &key, sizeof key)) return &table[slot];
  if (used == TABLE * 3 / 4) {
    for (int i = 0; i < TABLE; i++)
      if (table[i].primitive) destroy(&table[i]);
    used = 0;
    slot = hash(&key) % TABLE;
  }
  *status = create(p, &table[slot]);
  if (*status) return NULL;
  table[slot].key = key;
  used++;
  return &table[slot];
}

typedef float vector __attribute__((vector_size(64), aligned(4)));
#define COLUMNS 16
#define ROWS 8
#define SMALL_DEPTH 1024

/// `count` ≤ ROWS rows of C, 16 columns of them: sums stay in registers.
static inline INLINED void tile(int64_t count, int64_t k, const float *a, int64_t rowA, int64_t columnA, const float *b,
                                int64_t rowB, vector sums[ROWS]) {
  const float *rows[ROWS];
#pragma clang loop unroll(full)
  for (int i = 0; i < ROWS; i++) {
    rows[i] = a + (i < count ? i : 0) * rowA;
    sums[i] = (vector){0};
  }
  for (int64_t l = 0; l < k; l++) {
    vector v = *(const vector *)(b + l * rowB);
#pragma clang loop unroll(full)
    for (int i = 0; i < ROWS; i++) sums[i] += rows[i][l * columnA] * v;
  }
}

/// float32 matrix multiplications of some ten thousand multiply-adds. B is read 16 columns at a time; where these are
/// not adjacent (a transposed operand, the last columns) they are copied together first.
DISPATCHED_STATIC(void, matmul_small,
                  (const struct nabla_matmul *p, const float *a, const float *b, const float *bias, float *c),
                  (p, a, b, bias, c)) {
  float panel[SMALL_DEPTH * COLUMNS];
  for (int64_t j = 0; j < p->n; j += COLUMNS) {
    int64_t columns = p->n - j < COLUMNS ? p->n - j : COLUMNS;
    const float *source = b + j * p->columnB;
    int64_t rowB = p->rowB;
    if (p->columnB != 1 || columns < COLUMNS) {
      if (columns < COLUMNS) memset(panel, 0, (size_t)p->k * COLUMNS * sizeof *panel);
      for (int64_t i = 0; i < columns; i++)
        for (int64_t l = 0; l < p->k; l++) panel[l * COLUMNS + i] = source[l * p->rowB + i * p->columnB];
      source = panel;
      rowB = COLUMNS;
    }
    for (int64_t i = 0; i < p->m; i += ROWS) {
      int64_t count = p->m - i < ROWS ? p->m - i : ROWS;
      vector sums[ROWS];
      tile(count, p->k, a + i * p->rowA, p->rowA, p->columnA, source, rowB, sums);
      for (int64_t r = 0; r < count; r++) {
        float *row = c + (i + r) * p->rowC + j, values[COLUMNS];
        memcpy(values, &sums[r], sizeof values);
        for (int64_t q = 0; q < columns; q++)
          row[q] = (p->accumulate ? row[q] : 0.0f) + (p->hasBias ? bias[j + q] : 0.0f) + values[q];
      }
    }
  }
}

/// A float32 copy of what a bfloat16 operand spans, with the same strides.
static float *widened(const uint16_t *x, int64_t span) {
  float *copy = malloc((size_t)span * 4);
  if (copy) nabla_bfloat16_to_float(span, x, copy);
  return copy;
}

/// The multiplication with bfloat16 operands upcast, and the result rounded to bfloat16 if requested.
static int32_t through_float(const struct nabla_matmul *p, const void *a, const void *b, const float *bias, void *c) {
  struct nabla_matmul q = *p;
  q.typeA = q.typeB = q.typeC = NABLA_FLOAT32;
  int64_t spanA = (p->batch - 1) * p->batchA + (p->m - 1) * p->rowA + (p->k - 1) * p->columnA + 1;
  int64_t spanB = (p->batch - 1) * p->batchB + (p->k - 1) * p->rowB + (p->n - 1) * p->columnB + 1;
  float *wideA = p->typeA == NABLA_BFLOAT16 ? widened(a, spanA) : NULL;
  float *wideB = p->typeB == NABLA_BFLOAT16 ? widened(b, spanB) : NULL;
  float *wideC = NULL;
  int32_t status = dnnl_out_of_memory;
  if ((p->typeA == NABLA_BFLOAT16 && !wideA) || (p->typeB == NABLA_BFLOAT16 && !wideB)) goto done;
  if (p->typeC == NABLA_BFLOAT16) {
    wideC = malloc((size_t)(p->batch * p->m * p->n) * 4);
    if (!wideC) goto done;
    q.rowC = p->n;
    q.batchC = p->m * p->n;
    for (int64_t i = 0; p->accumulate && i < p->batch * p->m; i++)
      nabla_bfloat16_to_float(p->n, (uint16_t *)c + i / p->m * p->batchC + i % p->m * p->rowC, wideC + i * p->n);
  }
  status = nabla_matmul_run(&q, wideA ? wideA : a, wideB ? wideB : b, bias, wideC ? wideC : c);
  for (int64_t i = 0; wideC && i < p->batch * p->m; i++)
    nabla_float_to_bfloat16(p->n, wideC + i * p->n, (uint16_t *)c + i / p->m * p->batchC + i % p->m * p->rowC);
done:
  free(wideA);
  free(wideB);
  free(wideC);
  return status;
}

static int32_t through_onednn(const struct nabla_matmul *p, const void *a, const void *b, const float *bias, void *c) {
  dnnl_status_t status = dnnl_success;
  struct entry *e = lookup(p, &status);
  if (!e) return (int32_t)status;
  dnnl_memory_set_data_handle(e->a, (void *)a);
  dnnl_memory_set_data_handle(e->b, (void *)b);
  dnnl_memory_set_data_handle(e->c, c);
  if (e->bias) dnnl_memory_set_data_handle(e->bias, (void *)bias);
  dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, e->a}, {DNNL_ARG_WEIGHTS, e->b}, {DNNL_ARG_DST, e->c}, {DNNL_ARG_BIAS, e->bias}};
  return (int32_t)dnnl_primitive_execute(e->primitive, stream, e->bias ? 4 : 3, arguments);
}

/// Multiply-adds below which a multiplication runs on one thread.
#define SHARED_WORK 1000000

int32_t nabla_matmul_run(const struct nabla_matmul *p, const void *a, const void *b, const float *bias, void *c) {
  if (p->batch == 1 && p->m * p->n * p->k <= 65536 && p->k <= SMALL_DEPTH && p->typeA == NABLA_FLOAT32 && p->typeB == NABLA_FLOAT32 &&
      p->typeC == NABLA_FLOAT32) {
    matmul_small(p, a, b, bias, c);
    return 0;
  }
  int32_t has16 = p->typeA == NABLA_BFLOAT16 || p->typeB == NABLA_BFLOAT16 || p->typeC == NABLA_BFLOAT16;
  // oneDNN has no bfloat16 matrix multiplication below AVX-512: there it runs in float32.
  static _Thread_local int32_t refuses16;
  if (has16 && refuses16) return through_float(p, a, b, bias, c);
  // Two threads need some microseconds to meet, and several times that when their cores share no cache.
  const bool alone = p->batch * p->m * p->n * p->k < SHARED_WORK;
  const int32_t threads = alone ? nabla_use_thread_count(1) : 0;
  int32_t status = through_onednn(p, a, b, bias, c);
  if (alone) nabla_use_thread_count(threads);
  if (has16 && status == dnnl_unimplemented) {
    refuses16 = 1;
    return through_float(p, a, b, bias, c);
  }
  return status;
}
