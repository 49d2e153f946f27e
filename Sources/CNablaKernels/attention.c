// Hands tiles of attention to threads. Which thread computes a tile never changes what it computes, so tiles are taken
// from one counter, the longest first.
#include "attention_problem.h"
#include "include/isa.h"
#include "include/threads.h"

static const struct attention_kernels *const tables[] = {
    [NABLA_ATTENTION_BASELINE] = &nabla_attention_baseline,
#if defined(__x86_64__)
    [NABLA_ATTENTION_AVX2] = &nabla_attention_avx2,
    [NABLA_ATTENTION_AVX512] = &nabla_attention_avx512,
#endif
};

enum nabla_attention_isa nabla_attention_best_isa(void) {
  if (nabla_isa_in_use() >= NABLA_ISA_AVX512) return NABLA_ATTENTION_AVX512;
  if (nabla_isa_in_use() >= NABLA_ISA_AVX2) return NABLA_ATTENTION_AVX2;
  return NABLA_ATTENTION_BASELINE;
}

static const struct attention_kernels *kernelsFor(enum nabla_attention_isa isa) {
  const enum nabla_attention_isa best = nabla_attention_best_isa();
  return tables[isa == NABLA_ATTENTION_BEST || isa > best ? best : isa];
}

static int64_t blocks(int64_t length, int64_t size) { return (length + size - 1) / size; }

// ---- forward

struct forward_region {
  struct forward_arguments a;
  const struct attention_kernels *kernels;
  int64_t heads, queryBlocks;
  _Atomic int64_t next;
};

static void forwardTasks(void *context, int32_t thread, int32_t threads) {
  struct forward_region *r = context;
  const problem_t *p = r->a.p;
  float *workspace = nabla_attention_workspace(0, r->kernels->forwardFloats(p, r->a.blockRows) * sizeof(float));
  for (int64_t t; (t = atomic_fetch_add(&r->next, 1)) < r->heads * r->queryBlocks;) {
    // With a causal mask the last queries see the most keys.
    const int64_t block = r->queryBlocks - 1 - t % r->queryBlocks, head = t / r->queryBlocks;
    r->kernels->forward(&r->a, (int32_t)(head / p->queryHeadCount), (int32_t)(head % p->queryHeadCount),
                        (int32_t)(block * r->a.blockRows), workspace);
  }
}

void nabla_attention_forward(
    const struct nabla_attention *p, view_t q, view_t k, view_t v, output_t out, float *lse, int32_t threadCount) {
  const int64_t heads = (int64_t)p->batch * p->queryHeadCount;
  if (heads == 0 || p->queryLength == 0) return;
  const struct attention_kernels *kernels = kernelsFor(p->isa);
  struct forward_arguments a = {p, q, k, v, out, lse, p->headSize <= 128 ? 256 : 128};
  // Larger blocks of queries read keys and values fewer times; smaller ones give every thread work.
  while (a.blockRows > 64 && heads * blocks(p->queryLength, a.blockRows) < 16) a.blockRows /= 2;
  struct forward_region r = {a, kernels, heads, blocks(p->queryLength, a.blockRows), 0};
  const int64_t tasks = r.heads * r.queryBlocks;
  nabla_parallel(threadCount < tasks ? threadCount : (int32_t)tasks, &r, forwardTasks);
}

// ---- backward

struct backward_region {
  struct backward_arguments a;
  const struct attention_kernels *kernels;
  int64_t heads;        // B · G
  int64_t queryBlocks, keyBlocks;
  int64_t dqFloats;     // float32 sums of dq of one key/value head
  float *dqSum;         // [heads, dqFloats] if heads are shared between threads, else NULL: each thread has its own
  _Atomic int64_t next;
};

static void prepareTasks(void *context, int32_t thread, int32_t threads) {
  struct backward_region *r = context;
  const problem_t *p = r->a.p;
  const int64_t tasks = (int64_t)p->batch * p->queryHeadCount * r->queryBlocks;
  for (int64_t t; (t = atomic_fetch_add(&r->next, 1)) < tasks;) {
    const int64_t head = t / r->queryBlocks;
    r->kernels->backwardPrepare(&r->a, (int32_t)(head / p->queryHeadCount), (int32_t)(head % p->queryHeadCount),
                                (int32_t)(t % r->queryBlocks));
  }
}

static void backwardTasks(void *context, int32_t thread, int32_t threads) {
  struct backward_region *r = context;
  const int32_t kvHeads = r->a.p->keyValueHeadCount;
  const size_t tiles = r->kernels->backwardFloats(r->a.p);
  float *workspace =
      nabla_attention_workspace(0, (tiles + (r->dqSum ? 0 : (size_t)r->dqFloats)) * sizeof(float));
  const int64_t perTask = r->dqSum ? 1 : r->keyBlocks;
  for (int64_t t; (t = atomic_fetch_add(&r->next, 1)) < r->heads * r->keyBlocks / perTask;) {
    const int64_t head = t * perTask / r->keyBlocks, first = t * perTask % r->keyBlocks;
    float *dqSum = r->dqSum ? r->dqSum + head * r->dqFloats : workspace + tiles;
    for (int64_t block = first; block < first + perTask; block++)
      r->kernels->backward(&r->a, (int32_t)(head / kvHeads), (int32_t)(head % kvHeads), (int32_t)block, dqSum,
                           workspace);
  }
}

void nabla_attention_backward(
    const struct nabla_attention *p, view_t q, view_t k, view_t v, view_t out, const float *lse, view_t dout,
    output_t dq, output_t dk, output_t dv, int32_t threadCount) {
  const int64_t heads = (int64_t)p->batch * p->keyValueHeadCount, group = p->queryHeadCount / p->keyValueHeadCount;
  const int64_t rows = (int64_t)p->batch * p->queryHeadCount * p->queryLength;
  if (heads == 0) return;
  struct backward_region r = {
      .a = {p, q, k, v, out, dout, lse, dq, dk, dv, NULL, NULL}, .kernels = kernelsFor(p->isa), .heads = heads,
      .queryBlocks = blocks(p->queryLength, BACKWARD_QUERIES), .keyBlocks = blocks(p->keyLength, BACKWARD_KEYS)};
  r.dqFloats = group * r.queryBlocks * BACKWARD_QUERIES * paddedHead(p);

  // Where heads keep the threads at least 90 % busy, a thread takes whole heads. Otherwise threads share a head, a
  // block of keys each, and take turns at dq. Either way dq accumulates the blocks of keys in ascending order, so the
  // choice cannot change a bit.
  const int64_t rounds = (heads + threadCount - 1) / threadCount;
  const bool shared = 10 * heads < 9 * rounds * threadCount;
  const int64_t tickets = shared ? heads * group * r.queryBlocks : 0;
  const size_t dqBytes = shared ? (size_t)(heads * r.dqFloats) * sizeof(float) : 0;
  const size_t deltaBytes = (size_t)rows * sizeof(float);
  char *memory = nabla_attention_workspace(1, dqBytes + deltaBytes + (size_t)tickets * sizeof(atomic_int));
  if (shared) {
    r.dqSum = (float *)memory;
    r.a.ticket = (atomic_int *)(void *)(memory + dqBytes + deltaBytes);
    for (int64_t i = 0; i < tickets; i++) atomic_init(&r.a.ticket[i], 0);
  }
  r.a.delta = (float *)(void *)(memory + dqBytes);

  nabla_parallel(threadCount, &r, prepareTasks);
  if (r.keyBlocks == 0) return;
  atomic_store(&r.next, 0);
  const int64_t tasks = shared ? heads * r.keyBlocks : heads;
  nabla_parallel(threadCount < tasks ? threadCount : (int32_t)tasks, &r, backwardTasks);
}

// ---- decode

struct decode_region {
  const struct nabla_decode *p;
  const struct attention_kernels *kernels;
  int64_t perTask;           // rows
  int64_t rowBlocks, tasks;
  const int64_t *start;      // [rows]: chunks of all rows before each
  float *partial;            // each chunk's results: [G][group][2 + padded D]
  atomic_int *finished;      // [rows · G]: chunks done
  _Atomic int64_t next;
};

static void decodeTasks(void *context, int32_t thread, int32_t threads) {
  struct decode_region *r = context;
  const struct nabla_decode *p = r->p;
  const int64_t heads = p->keyValueHeadCount;
  const int64_t floats = p->queryHeadCount / heads * (2 + paddedSize(p->headSize)), stride = heads * floats;
  float *workspace = nabla_attention_workspace(0, r->kernels->decodeFloats(p) * sizeof(float));
  for (int64_t t; (t = atomic_fetch_add(&r->next, 1)) < r->tasks;) {
    struct decode_task task = {.p = p, .g = t % heads, .chunk = t / heads / r->rowBlocks};
    const int64_t first = t / heads % r->rowBlocks * r->perTask;
    for (int64_t row = first; row < first + r->perTask && row < p->rows; row++) {
      if (task.chunk < decodeFirstChunk(p, row) || task.chunk >= decodeEndChunk(p, row)) continue;
      task.partial[task.rows] =
          r->partial + (r->start[row] + task.chunk - decodeFirstChunk(p, row)) * stride + task.g * floats;
      task.row[task.rows++] = row;
    }
    if (task.rows == 0) continue;
    r->kernels->decode(&task, workspace);
    for (int64_t i = 0; i < task.rows; i++) {
      const int64_t row = task.row[i], chunks = decodeEndChunk(p, row) - decodeFirstChunk(p, row);
      // The last task to finish sums the chunks, in order.
      if (chunks == 1 || atomic_fetch_add(&r->finished[row * heads + task.g], 1) == chunks - 1)
        r->kernels->decodeMerge(
            p, row, task.g, chunks, r->partial + r->start[row] * stride + task.g * floats, stride);
    }
  }
}

void nabla_decode_attention(const struct nabla_decode *p, int32_t threadCount) {
  if (p->rows == 0) return;
  const int64_t heads = p->keyValueHeadCount;
  const size_t floats = (size_t)(p->queryHeadCount * (2 + paddedSize(p->headSize)));
  int64_t chunks = 0, mostChunks = 0;
  for (int64_t row = 0; row < p->rows; row++) {
    chunks += decodeEndChunk(p, row) - decodeFirstChunk(p, row);
    if (decodeEndChunk(p, row) > mostChunks) mostChunks = decodeEndChunk(p, row);
  }
  const size_t startBytes = (size_t)p->rows * sizeof(int64_t);
  const size_t finishedBytes = (size_t)(p->rows * heads) * sizeof(atomic_int);
  const size_t partialAt = (startBytes + finishedBytes + 63) & ~(size_t)63;
  char *memory = nabla_attention_workspace(1, partialAt + (size_t)chunks * floats * sizeof(float));
  int64_t *start = (int64_t *)(void *)memory;
  atomic_int *finished = (atomic_int *)(void *)(memory + startBytes);
  start[0] = 0;
  for (int64_t row = 0; row + 1 < p->rows; row++)
    start[row + 1] = start[row] + decodeEndChunk(p, row) - decodeFirstChunk(p, row);
  for (int64_t i = 0; i < p->rows * heads; i++) atomic_init(&finished[i], 0);
  // The rows of one task read shared pages once; fewer rows per task give every thread work.
  int64_t perTask = DECODE_ROWS;
  while (perTask > 1 && chunks * heads < 4 * perTask * threadCount) perTask /= 2;
  const int64_t rowBlocks = blocks(p->rows, perTask);
  struct decode_region r = {
      p, kernelsFor(p->isa), perTask, rowBlocks, mostChunks * rowBlocks * heads, start,
      (float *)(void *)(memory + partialAt), finished, 0};
  nabla_parallel(threadCount < r.tasks ? threadCount : (int32_t)r.tasks, &r, decodeTasks);
}
