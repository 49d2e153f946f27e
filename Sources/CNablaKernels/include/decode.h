// Attention of single queries over a paged key-value cache, and the pages themselves.
//
// A page holds the keys and values of NABLA_CACHE_PAGE consecutive positions of one sequence, all layers, all key/value
// heads: sequences of any length share one pool of pages (Kwon et al. 2023, "PagedAttention").
#pragma once
#include "attention.h"
#include <stdbool.h>
#include <stdint.h>

/// The storage types of the cache. Int8 has one scale for each position and head: the largest magnitude / 127.
enum nabla_cache_type { NABLA_CACHE_FLOAT32 = 0, NABLA_CACHE_BFLOAT16 = 1, NABLA_CACHE_INT8 = 2 };

/// Positions of a page.
enum { NABLA_CACHE_PAGE = 64 };

/// Bytes of one key/value head of one layer in a page; a layer's heads are contiguous.
int64_t nabla_cache_head_bytes(enum nabla_cache_type type, int32_t headSize);

/// Stores the keys and values of `rows` consecutive positions in one page, from `slot` on: slot + rows ≤ 64.
/// keys, values: [rows][heads · headSize], rows `rowStride` elements apart, float32 or bfloat16. page: where the layer
/// begins in the page.
void nabla_cache_write(
    enum nabla_cache_type type, int32_t heads, int32_t headSize, bool bfloat16, int64_t rows, const void *keys,
    const void *values, int64_t rowStride, void *page, int32_t slot);

/// The inverse: reads the first `rows` positions of a page.
void nabla_cache_read(
    enum nabla_cache_type type, int32_t heads, int32_t headSize, bool bfloat16, int64_t rows, const void *page,
    void *keys, void *values, int64_t rowStride);

/// One query per row; each sees the first `lengths[row]` positions of a sequence's pages.
struct nabla_decode {
  enum nabla_cache_type type;
  int64_t rows;
  int32_t queryHeadCount;     // H, a multiple of G
  int32_t keyValueHeadCount;  // G
  int32_t headSize;           // D in 1...256
  float scale;                // multiplies q · k; usually 1/√D
  int32_t window;             // only the last `window` of the positions; 0 for all
  bool bfloat16;              // the type of q and out: bfloat16, else float32
  const void *q;              // [rows][H · D], rows queryStride elements apart
  int64_t queryStride;
  void *out;                  // [rows][H · D], rows outStride elements apart
  int64_t outStride;
  const int32_t *lengths;     // [rows], each at least 1
  const void *const *pages;   // all sequences' pages
  const int32_t *firstPage;   // [rows]: where a row's pages begin in `pages`
  int64_t layerOffset;        // bytes from the start of a page to this layer
  enum nabla_attention_isa isa;
};

/// out = softmax(scale · q kᵀ) v for each row. The same bits for any number of threads and whatever the other rows are.
void nabla_decode_attention(const struct nabla_decode *problem, int32_t threadCount);
