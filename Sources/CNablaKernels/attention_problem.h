// What the scheduler (attention.c) and the tile kernels of each instruction set share.
#pragma once
#include "include/attention.h"
#include "include/decode.h"
#include <stdatomic.h>
#include <stddef.h>

typedef struct nabla_attention problem_t;
typedef struct nabla_attention_view view_t;
typedef struct nabla_attention_output output_t;

// Rows of a tile. 64 keys of D = 64 in float32 are 16 KB; the tiles of one task stay in L2.
enum { FORWARD_KEYS = 64, BACKWARD_QUERIES = 64, BACKWARD_KEYS = 128, DECODE_KEYS = 256, DECODE_ROWS = 16 };

// A head size padded to whole vectors.
static inline int64_t paddedSize(int64_t headSize) { return (headSize + 15) & ~15; }
static inline int64_t paddedHead(const problem_t *p) { return paddedSize(p->headSize); }

// The layout of one key/value head of one layer in a page: for int8 the scales of keys and of values, [2][64]
// float32; the keys, transposed, [D][64]; the values, [64][padded D].
struct cache_head_layout {
  int64_t keys, values, bytes;
};
static inline int64_t cachedSize(enum nabla_cache_type type) {
  return type == NABLA_CACHE_FLOAT32 ? 4 : type == NABLA_CACHE_BFLOAT16 ? 2 : 1;
}
static inline struct cache_head_layout cacheHeadLayout(enum nabla_cache_type type, int64_t headSize) {
  const int64_t size = cachedSize(type);
  const int64_t scales = type == NABLA_CACHE_INT8 ? 2 * NABLA_CACHE_PAGE * (int64_t)sizeof(float) : 0;
  const int64_t values = scales + headSize * NABLA_CACHE_PAGE * size;
  return (struct cache_head_layout){scales, values, values + NABLA_CACHE_PAGE * paddedSize(headSize) * size};
}

static inline int32_t keyCount(const problem_t *p, int32_t b) {
  if (!p->keyLengths) return p->keyLength;
  int32_t n = p->keyLengths[b];
  return n < 0 ? 0 : n > p->keyLength ? p->keyLength : n;
}

// Without a bias the keys that query i sees are one interval [firstKey, endKey), less its gap. Both ends grow with i.
// Padding rows of a tile also have one: they see what the last query sees.
static inline int64_t segmentAt(const problem_t *p, int64_t b, int64_t i) {
  return b * p->queryLength + (i < p->queryLength ? i : p->queryLength - 1);
}
static inline int32_t firstKey(const problem_t *p, int64_t b, int64_t i) {
  int64_t first = p->window > 0 ? i + p->keyLength - p->queryLength - p->window + 1 : 0;
  if (p->segmentStarts) {
    const int64_t start = p->segmentStarts[segmentAt(p, b, i)];
    if (first < start) first = start;
  }
  return first < 0 ? 0 : first > p->keyLength ? p->keyLength : (int32_t)first;
}
static inline int32_t endKey(const problem_t *p, int64_t b, int64_t i, int32_t keys) {
  int64_t end = p->causal ? i + p->keyLength - p->queryLength + 1 : keys;
  if (p->segmentEnds) {
    const int64_t stop = p->segmentEnds[segmentAt(p, b, i)];
    if (end > stop) end = stop;
  }
  return end < 0 ? 0 : end > keys ? keys : (int32_t)end;
}

// A range of keys; empty if end <= first.
struct key_range {
  int64_t first, end;
};
static inline struct key_range gapOf(const problem_t *p, int64_t b, int64_t i) {
  if (!p->gapStarts) return (struct key_range){0, 0};
  const int64_t at = segmentAt(p, b, i);
  return (struct key_range){p->gapStarts[at], p->gapEnds[at]};
}
// How the gaps of `count` queries from i on lie to the keys [first, end).
enum gap_cover { NO_GAP, SOME_GAP, ALL_GAP };
static inline enum gap_cover gapCover(
    const problem_t *p, int64_t b, int64_t i, int64_t count, int64_t first, int64_t end) {
  if (!p->gapStarts) return NO_GAP;
  bool some = false, all = true;
  for (int64_t r = 0; r < count; r++) {
    const struct key_range gap = gapOf(p, b, i + r);
    some |= gap.first < end && gap.end > first && gap.first < gap.end;
    all &= gap.first <= first && gap.end >= end;
  }
  return all ? ALL_GAP : some ? SOME_GAP : NO_GAP;
}

static inline size_t elementSize(const problem_t *p) { return p->dtype == NABLA_ATTENTION_BFLOAT16 ? 2 : 4; }

static inline const void *headOf(const problem_t *p, view_t x, int64_t b, int64_t h) {
  return (const char *)x.data + (b * x.batchStride + h * x.headStride) * (int64_t)elementSize(p);
}
static inline void *headOfOutput(const problem_t *p, output_t x, int64_t b, int64_t h) {
  return (char *)x.data + (b * x.batchStride + h * x.headStride) * (int64_t)elementSize(p);
}

struct forward_arguments {
  const problem_t *p;
  view_t q, k, v;
  output_t out;
  float *lse;
  int32_t blockRows;  // queries of one forward task
};

struct backward_arguments {
  const problem_t *p;
  view_t q, k, v, out, dout;
  const float *lse;
  output_t dq, dk, dv;
  float *delta;            // [B, H, Tq]: Σ_d dout · out
  atomic_int *ticket;      // [B, H, query blocks]: key blocks already added to dq; NULL when one thread owns the head
};

// Chunk c of a row: keys DECODE_KEYS · c and on.
static inline int64_t decodeFirstChunk(const struct nabla_decode *p, int64_t row) {
  return p->window > 0 && p->lengths[row] > p->window ? (p->lengths[row] - p->window) / DECODE_KEYS : 0;
}
static inline int64_t decodeEndChunk(const struct nabla_decode *p, int64_t row) {
  return (p->lengths[row] + DECODE_KEYS - 1) / DECODE_KEYS;
}

// One key/value head, one chunk of keys, and some rows, each of which sees keys of the chunk.
struct decode_task {
  const struct nabla_decode *p;
  int64_t g, chunk;
  int64_t rows;                // at most DECODE_ROWS
  int64_t row[DECODE_ROWS];
  float *partial[DECODE_ROWS];  // [group][2 + padded D]: maximum (log2 units), sum, unnormalized output
};

// One instruction set's kernels. An instruction set with another tile format (AMX: bfloat16 pairs) would have its
// own table: a task's tiles are private to it, and only these calls are shared.
struct attention_kernels {
  // out and lse of queries [q0, q0 + blockRows) of one head.
  void (*forward)(const struct forward_arguments *a, int32_t b, int32_t h, int32_t q0, float *workspace);
  size_t (*forwardFloats)(const problem_t *p, int32_t blockRows);

  // delta of one head, and dq = 0 where a whole block of queries sees no key.
  void (*backwardPrepare)(const struct backward_arguments *a, int32_t b, int32_t h, int32_t block);
  // dk and dv of one block of keys of one key/value head, and its contribution to dq. dqSum: [H / G, Tq, padded D].
  void (*backward)(
      const struct backward_arguments *a, int32_t b, int32_t g, int32_t keyBlock, float *dqSum, float *workspace);
  size_t (*backwardFloats)(const problem_t *p);

  // The partial attention of some rows over one chunk of their keys and values; and the sum over one row's chunks.
  void (*decode)(const struct decode_task *task, float *workspace);
  void (*decodeMerge)(
      const struct nabla_decode *p, int64_t row, int64_t g, int64_t chunks, const float *partial, int64_t stride);
  size_t (*decodeFloats)(const struct nabla_decode *p);
};

extern const struct attention_kernels nabla_attention_baseline, nabla_attention_avx2, nabla_attention_avx512;

// The calling thread's scratch memory: at least `bytes`, 64-byte aligned, kept for the next call and freed with the
// thread. Slot 0 is for tasks, slot 1 for memory that outlives a task (owned by the caller of the whole operation).
void *nabla_attention_workspace(int32_t slot, size_t bytes);
