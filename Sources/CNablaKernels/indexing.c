#include "indexing.h"
#include "kernel.h"

void nabla_gather_rows(int64_t count, int64_t bytes, const int32_t *index, const void *x, void *y) {
  for (int64_t i = 0; i < count; i++)
    memcpy((char *)y + i * bytes, (const char *)x + (int64_t)index[i] * bytes, (size_t)bytes);
}

DISPATCHED(void, nabla_scatter_add_rows,
           (int64_t count, int64_t width, int64_t begin, int64_t end, const int32_t *index, const float *x,
            float *y),
           (count, width, begin, end, index, x, y)) {
  for (int64_t i = 0; i < count; i++) {
    float *row = y + (int64_t)index[i] * width;
    for (int64_t c = begin; c < end; c++) row[c] += x[i * width + c];
  }
}

// The last two dimensions of a permuted copy. When the source is contiguous along the rows of y's tile rather than its
// columns (a transpose), tiles of 16 × 16 keep both sides in cache.
#define PLANE(NAME, TYPE)                                                                                        \
  static void NAME(int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride, const TYPE *x,        \
                   TYPE *y) {                                                                                    \
    if (columnStride == 1) {                                                                                     \
      for (int64_t r = 0; r < rows; r++) memcpy(y + r * columns, x + r * rowStride, (size_t)columns * sizeof(TYPE)); \
      return;                                                                                                    \
    }                                                                                                            \
    for (int64_t r0 = 0; r0 < rows; r0 += 16)                                                                    \
      for (int64_t c0 = 0; c0 < columns; c0 += 16) {                                                             \
        int64_t r1 = r0 + 16 < rows ? r0 + 16 : rows, c1 = c0 + 16 < columns ? c0 + 16 : columns;                \
        for (int64_t r = r0; r < r1; r++)                                                                        \
          for (int64_t c = c0; c < c1; c++) y[r * columns + c] = x[r * rowStride + c * columnStride];            \
      }                                                                                                          \
  }
PLANE(plane8, uint8_t)
PLANE(plane16, uint16_t)
PLANE(plane32, uint32_t)
PLANE(plane64, uint64_t)

static void permute(int32_t rank, const int64_t *shape, const int64_t *strides, int64_t size, int64_t begin,
                    int64_t end, const char *x, char *y) {
  if (rank > 2) {
    int64_t step = size;
    for (int32_t d = 1; d < rank; d++) step *= shape[d];
    for (int64_t i = begin; i < end; i++)
      permute(rank - 1, shape + 1, strides + 1, size, 0, shape[1], x + i * strides[0] * size, y + i * step);
    return;
  }
  int64_t columns = rank == 2 ? shape[1] : 1, columnStride = rank == 2 ? strides[1] : 1;
  x += begin * strides[0] * size;
  y += begin * columns * size;
  int64_t rows = end - begin;
  switch (size) {
    case 1: plane8(rows, columns, strides[0], columnStride, (const uint8_t *)x, (uint8_t *)y); break;
    case 2: plane16(rows, columns, strides[0], columnStride, (const uint16_t *)x, (uint16_t *)y); break;
    case 4: plane32(rows, columns, strides[0], columnStride, (const uint32_t *)x, (uint32_t *)y); break;
    default: plane64(rows, columns, strides[0], columnStride, (const uint64_t *)x, (uint64_t *)y); break;
  }
}

void nabla_permute(int32_t rank, const int64_t *shape, const int64_t *strides, int64_t elementSize, int64_t begin,
                   int64_t end, const void *x, void *y) {
  permute(rank, shape, strides, elementSize, begin, end, x, y);
}
