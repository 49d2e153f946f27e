#include "pooling.h"
#include "kernel.h"

/// The part of a window that lies inside the plane.
struct range {
  int64_t first, last;
};
static inline struct range inside(const struct nabla_window *w, int dimension, int64_t output) {
  int64_t first = output * w->stride[dimension] - w->padding[dimension];
  int64_t last = first + w->kernel[dimension];
  return (struct range){first < 0 ? 0 : first, last > w->input[dimension] ? w->input[dimension] : last};
}

#define EACH_WINDOW                                           \
  for (int64_t plane = 0; plane < planes; plane++)            \
    for (int64_t i = 0; i < window->output[0]; i++)           \
      for (int64_t j = 0; j < window->output[1]; j++)

#define OUTPUT ((plane * window->output[0] + i) * window->output[1] + j)

void nabla_max_pool(const struct nabla_window *window, int64_t planes, const float *x, float *y, int32_t *places) {
  int64_t columns = window->input[1], size = window->input[0] * columns;
  EACH_WINDOW {
    struct range rows = inside(window, 0, i), across = inside(window, 1, j);
    const float *source = x + plane * size;
    int64_t best = rows.first * columns + across.first;
    for (int64_t r = rows.first; r < rows.last; r++)
      for (int64_t c = across.first; c < across.last; c++) {
        float v = source[r * columns + c], largest = source[best];
        if (largest == largest && (v > largest || v != v)) best = r * columns + c;
      }
    y[OUTPUT] = source[best];
    places[OUTPUT] = (int32_t)best;
  }
}

void nabla_max_pool_backward(const struct nabla_window *window, int64_t planes, const float *dy, const int32_t *places,
                             float *dx) {
  int64_t size = window->input[0] * window->input[1];
  EACH_WINDOW dx[plane * size + places[OUTPUT]] += dy[OUTPUT];
}

static inline float share(const struct nabla_window *w, int32_t excludesPadding, struct range rows, struct range across) {
  int64_t members = excludesPadding ? (rows.last - rows.first) * (across.last - across.first)
                                    : w->kernel[0] * w->kernel[1];
  return 1.0f / (float)members;
}

void nabla_average_pool(const struct nabla_window *window, int32_t excludesPadding, int64_t planes, const float *x,
                        float *y) {
  int64_t columns = window->input[1], size = window->input[0] * columns;
  EACH_WINDOW {
    struct range rows = inside(window, 0, i), across = inside(window, 1, j);
    float sum = 0;
    for (int64_t r = rows.first; r < rows.last; r++)
      for (int64_t c = across.first; c < across.last; c++) sum += x[plane * size + r * columns + c];
    y[OUTPUT] = sum * share(window, excludesPadding, rows, across);
  }
}

void nabla_average_pool_backward(const struct nabla_window *window, int32_t excludesPadding, int64_t planes,
                                 const float *dy, float *dx) {
  int64_t columns = window->input[1], size = window->input[0] * columns;
  EACH_WINDOW {
    struct range rows = inside(window, 0, i), across = inside(window, 1, j);
    float part = dy[OUTPUT] * share(window, excludesPadding, rows, across);
    for (int64_t r = rows.first; r < rows.last; r++)
      for (int64_t c = across.first; c < across.last; c++) dx[plane * size + r * columns + c] += part;
  }
}

void nabla_upsample_nearest(int64_t planes, int64_t rows, int64_t columns, int64_t rowScale, int64_t columnScale,
                            const float *x, float *y) {
  int64_t width = columns * columnScale;
  for (int64_t r = 0; r < planes * rows; r++, x += columns, y += rowScale * width) {
    for (int64_t c = 0; c < columns; c++)
      for (int64_t k = 0; k < columnScale; k++) y[c * columnScale + k] = x[c];
    for (int64_t k = 1; k < rowScale; k++) memcpy(y + k * width, y, (size_t)width * sizeof *y);
  }
}

void nabla_upsample_nearest_backward(int64_t planes, int64_t rows, int64_t columns, int64_t rowScale,
                                     int64_t columnScale, const float *dy, float *dx) {
  int64_t width = columns * columnScale;
  for (int64_t r = 0; r < planes * rows; r++, dx += columns, dy += rowScale * width)
    for (int64_t c = 0; c < columns; c++) {
      float sum = 0;
      for (int64_t k = 0; k < rowScale; k++)
        for (int64_t l = 0; l < columnScale; l++) sum += dy[k * width + c * columnScale + l];
      dx[c] = sum;
    }
}
