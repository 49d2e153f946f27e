#include "reduction.h"
#include "kernel.h"

DISPATCHED(void, nabla_sum_middle,
           (int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, float *y),
           (begin, end, n, inner, x, y)) {
  for (int64_t o = begin; o < end; o++) {
    const float *block = x + o * n * inner;
    if (inner == 1) {
      // Blocks of 4096 bound the rounding error of long sums.
      double total = 0;
      for (int64_t start = 0; start < n; start += 4096) {
        int64_t stop = start + 4096 < n ? start + 4096 : n;
        float sum = 0;
        for (int64_t i = start; i < stop; i++) sum += block[i];
        total += sum;
      }
      y[o] = (float)total;
      continue;
    }
    float *out = y + o * inner;
    for (int64_t c = 0; c < inner; c++) out[c] = 0;
    for (int64_t i = 0; i < n; i++)
      for (int64_t c = 0; c < inner; c++) out[c] += block[i * inner + c];
  }
}

DISPATCHED(void, nabla_max_middle,
           (int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, float *y),
           (begin, end, n, inner, x, y)) {
  for (int64_t o = begin; o < end; o++) {
    const float *block = x + o * n * inner;
    float *out = y + o * inner;
    for (int64_t c = 0; c < inner; c++) out[c] = -INFINITY;
    for (int64_t i = 0; i < n; i++)
      for (int64_t c = 0; c < inner; c++) {
        float v = block[i * inner + c];
        out[c] = v > out[c] || v != v ? v : out[c];
      }
  }
}

void nabla_argmax_middle(int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, int32_t *index) {
  for (int64_t o = begin; o < end; o++)
    for (int64_t c = 0; c < inner; c++) {
      const float *column = x + o * n * inner + c;
      int64_t best = 0;
      for (int64_t i = 1; i < n; i++)
        if (column[i * inner] > column[best * inner]) best = i;
      index[o * inner + c] = (int32_t)best;
    }
}

DISPATCHED(void, nabla_cumulative_sum,
           (int64_t begin, int64_t end, int64_t n, int64_t inner, const float *x, float *y, int32_t reversed),
           (begin, end, n, inner, x, y, reversed)) {
  int64_t step = reversed ? -inner : inner;
  for (int64_t o = begin; o < end; o++) {
    int64_t first = o * n * inner + (reversed ? (n - 1) * inner : 0);
    for (int64_t c = 0; c < inner; c++) {
      double sum = 0;
      for (int64_t i = 0; i < n; i++) {
        sum += x[first + i * step + c];
        y[first + i * step + c] = (float)sum;
      }
    }
  }
}

DISPATCHED(double, nabla_sum_of_squares, (int64_t n, const float *x), (n, x)) {
  double total = 0;
  for (int64_t i = 0; i < n; i++) total += (double)x[i] * (double)x[i];
  return total;
}

#define SUM_COLUMNS(NAME, TYPE, LOAD)                                                                        \
  DISPATCHED(void, NAME,                                                                                     \
             (int64_t rows, int64_t width, int64_t begin, int64_t end, const TYPE *x, float *y),             \
             (rows, width, begin, end, x, y)) {                                                              \
    for (int64_t r = 0; r < rows; r++)                                                                       \
      for (int64_t c = begin; c < end; c++) y[c] += LOAD(x[r * width + c]);                                  \
  }
#define IDENTITY(v) (v)
SUM_COLUMNS(nabla_sum_columns, float, IDENTITY)
SUM_COLUMNS(nabla_sum_columns_bfloat16, uint16_t, bfloat16_to_float)
