// Fused attention: softmax(scale · Q Kᵀ + bias, masked) V, without materializing the T × T weights.
//
// Forward and backward walk over tiles of queries and keys and keep a running maximum and sum per query row: Dao,
// "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning" (2023), algorithms 1 and 2.
// Memory is linear in T. Results have the same bits for any thread count.
#pragma once
#include <stdbool.h>
#include <stdint.h>

/// The storage type of q, k, v, out and their gradients. Sums are float32 either way.
enum nabla_attention_dtype { NABLA_ATTENTION_FLOAT32 = 0, NABLA_ATTENTION_BFLOAT16 = 1 };

/// The instruction sets with kernels of their own, best last. Another set gives different last bits.
enum nabla_attention_isa {
  NABLA_ATTENTION_BEST = 0,  // the best that nabla_isa_in_use allows
  NABLA_ATTENTION_BASELINE = 1,
  NABLA_ATTENTION_AVX2 = 2,
  NABLA_ATTENTION_AVX512 = 3,
};

/// The largest head size D.
enum { NABLA_ATTENTION_MAX_HEAD_SIZE = 256 };

/// The problem. B batch size, H query heads, G key/value heads, Tq queries, Tk keys, D head size.
///
/// Query head h reads key-value head h / (H / G): G = H is multi-head, 1 < G < H grouped-query, G = 1 multi-query
/// attention. Query i is at key position i + Tk - Tq: masks are aligned to the end, as with a key-value cache.
struct nabla_attention {
  enum nabla_attention_dtype dtype;
  int32_t batch;              // B ≥ 0
  int32_t queryHeadCount;     // H, a multiple of G
  int32_t keyValueHeadCount;  // G ≥ 1
  int32_t queryLength;        // Tq ≥ 0
  int32_t keyLength;          // Tk ≥ 0
  int32_t headSize;           // D in 1...256
  float scale;                // multiplies q · k; usually 1/√D
  bool causal;                // query i sees keys j ≤ i + Tk - Tq
  int32_t window;             // query i sees keys j > i + Tk - Tq - window; 0 for no window
  const int32_t *keyLengths;  // [B]: batch b sees keys j < keyLengths[b], which are all that is read; NULL for Tk
  // [B, Tq]: query i of batch b sees keys segmentStarts ≤ j < segmentEnds, its own example in a packed row. Neither
  // may decrease from one query to the next. Both NULL for all keys.
  const int32_t *segmentStarts, *segmentEnds;
  // [B, Tq]: of those, query i does not see the keys gapStarts ≤ j < gapEnds: branches that follow the same prefix and
  // come before its own. The gap ends at or before the query. Both NULL for no gaps; only without a window.
  const int32_t *gapStarts, *gapEnds;
  const float *bias;          // added to the scaled scores, keys contiguous; NULL for none. It gets no gradient
  int64_t biasBatchStride;    // strides in elements; 0 repeats the bias over batches, heads or queries
  int64_t biasHeadStride;
  int64_t biasQueryStride;
  enum nabla_attention_isa isa;  // use at most this (for tests and measurements); 0 for the best
};

/// x[b, t, h, d] in memory: strides in elements, d contiguous. The packed output of one linear layer,
/// [B, T, (H + 2G) · D], is three views of one buffer.
struct nabla_attention_view {
  const void *data;
  int64_t batchStride, timeStride, headStride;
};
struct nabla_attention_output {
  void *data;
  int64_t batchStride, timeStride, headStride;
};

/// out = softmax(scale · q kᵀ + bias) v. A query that sees no key gives zeros.
///
/// - q, out: [B, Tq, H, D]; k, v: [B, Tk, G, D].
/// - lse: [B, H, Tq], the natural log of the sum of the exponentials, -∞ where no key is seen; NULL if not wanted.
void nabla_attention_forward(
    const struct nabla_attention *problem, struct nabla_attention_view q, struct nabla_attention_view k,
    struct nabla_attention_view v, struct nabla_attention_output out, float *lse, int32_t threadCount);

/// The gradients of q, k and v given that of out, overwriting dq, dk and dv. `out` and `lse` are the forward's.
/// A key that no query sees and a query that sees no key have gradient zero.
void nabla_attention_backward(
    const struct nabla_attention *problem, struct nabla_attention_view q, struct nabla_attention_view k,
    struct nabla_attention_view v, struct nabla_attention_view out, const float *lse, struct nabla_attention_view dout,
    struct nabla_attention_output dq, struct nabla_attention_output dk, struct nabla_attention_output dv,
    int32_t threadCount);

/// The naive forward in float64, written to be read: the reference that the tiled kernels are tested against, and the
/// way to inspect the weights. Time and (if weights are wanted) memory are Tq · Tk.
///
/// - out: [B, Tq, H, D] contiguous; weights: [B, H, Tq, Tk] or NULL; lse: [B, H, Tq] or NULL.
void nabla_attention_reference(
    const struct nabla_attention *problem, struct nabla_attention_view q, struct nabla_attention_view k,
    struct nabla_attention_view v, double *out, double *weights, double *lse);

/// The naive backward in float64. dq: [B, Tq, H, D], dk and dv: [B, Tk, G, D], all contiguous.
void nabla_attention_reference_backward(
    const struct nabla_attention *problem, struct nabla_attention_view q, struct nabla_attention_view k,
    struct nabla_attention_view v, struct nabla_attention_view dout, double *dq, double *dk, double *dv);

/// The best instruction set that nabla_isa_in_use and these kernels have in common: what NABLA_ATTENTION_BEST means.
enum nabla_attention_isa nabla_attention_best_isa(void);
