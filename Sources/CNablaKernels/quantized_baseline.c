// Quantized dot products for any CPU: vectors of 4 integers, in plain C.
#include "quantized_problem.h"

#define TABLE nabla_quantized_baseline
#define WIDTH 4
#define ROWS 2
typedef uint32_t integers __attribute__((vector_size(16)));
typedef int32_t signed_integers __attribute__((vector_size(16)));
typedef float floats __attribute__((vector_size(16)));
typedef float loose_floats __attribute__((vector_size(16), aligned(4)));

static inline INLINED void transpose(const uint8_t *x, int64_t stride, integers y[4]) {
  for (int l = 0; l < 4; l++) {
    uint32_t words[4];
    memcpy(words, x + l * stride, 16);
    for (int j = 0; j < 4; j++) y[j][l] = words[j];
  }
}

static inline INLINED integers gather(const uint8_t *x, int64_t stride) {
  integers v;
  for (int l = 0; l < 4; l++) {
    uint32_t word;
    memcpy(&word, x + l * stride, 4);
    v[l] = word;
  }
  return v;
}

static inline INLINED floats widen(integers x) {
  floats v;
  for (int l = 0; l < 4; l++) v[l] = float16_to_float((uint16_t)x[l]);
  return v;
}

static inline INLINED integers dot(integers sum, integers w, integers x, bool wide) {
  (void)wide;
  for (int byte = 0; byte < 4; byte++) {
    const signed_integers signs = (signed_integers)(x << (24 - 8 * byte)) >> 24;
    sum += (w >> 8 * byte & 255) * (integers)signs;
  }
  return sum;
}

#include "quantized_panel.h"
