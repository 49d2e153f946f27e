// Linear layers from stored weights. What a block holds, nabla_dequantize tells: it has no rounding that depends on the
// CPU, so its numbers must also be those of every other CPU.
#include "check.h"

static const enum nabla_block_type types[] = {
    NABLA_Q4_0, NABLA_Q4_1, NABLA_Q5_0, NABLA_Q5_1, NABLA_Q8_0, NABLA_Q2_K, NABLA_Q3_K, NABLA_Q4_K, NABLA_Q5_K, NABLA_Q6_K};

static void check(enum nabla_block_type type, int64_t rows) {
  enum { OUTPUTS = 70, COLUMNS = 512 };
  const int64_t blocks = OUTPUTS * COLUMNS / nabla_block_size(type), bytes = blocks * nabla_block_bytes(type);
  float *w = numbers(OUTPUTS * COLUMNS), *x = numbers(rows * COLUMNS), *bias = numbers(OUTPUTS);
  uint8_t *stored = memory(bytes);
  char name[64];
  if (!nabla_quantize(type, blocks, w, stored)) {
    // A type that is only read: random bits, with small scales where halves lie.
    for (int64_t i = 0; i < bytes; i++) stored[i] = (uint8_t)(number() * 128);
    const int64_t size = nabla_block_bytes(type), place = type == NABLA_Q2_K ? 80 : type == NABLA_Q3_K ? 108 : 0;
    for (int64_t b = 0; b < blocks; b++) {
      const uint16_t scale = 0x1418;  // 0.001 in float16
      memcpy(stored + b * size + place, &scale, 2);
      if (type != NABLA_Q3_K) memcpy(stored + b * size + place + 2, &scale, 2);
    }
    snprintf(name, sizeof name, "type %d, numbers", type);
  }
  nabla_dequantize(type, blocks, stored, w);
  if (rows == 1) {
    snprintf(name, sizeof name, "numbers of type %d", type);
    exact(name, 4 * OUTPUTS * COLUMNS, w);
  }

  // The kernels multiply x as it was rounded.
  void *space = memory(nabla_quantized_rows_bytes(rows, COLUMNS));
  const struct nabla_quantized_rows rounded = nabla_quantized_rows_in(space, rows, COLUMNS);
  nabla_quantize_rows(x, 0, rows, rounded);
  double *expected = memory(8 * rows * OUTPUTS), *plain = memory(8 * rows * OUTPUTS);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < OUTPUTS; j++) {
      double sum = bias[j], whole = bias[j];
      for (int64_t k = 0; k < COLUMNS; k++) {
        const double number = (double)rounded.scales[(r * COLUMNS + k) / 32] * rounded.q[r * COLUMNS + k];
        if (fabs(number - x[r * COLUMNS + k]) > 0.51 * rounded.scales[(r * COLUMNS + k) / 32]) failures++;
        sum += number * w[j * COLUMNS + k];
        whole += (double)x[r * COLUMNS + k] * w[j * COLUMNS + k];
      }
      expected[r * OUTPUTS + j] = sum, plain[r * OUTPUTS + j] = whole;
    }
  float *y = memory(4 * rows * OUTPUTS), *again = memory(4 * rows * OUTPUTS);
  const struct nabla_quantized_weight weight = {stored, OUTPUTS, type, bias, 0};
  nabla_quantized_linear(rounded, &weight, 1, y, NULL, OUTPUTS, NABLA_QUANTIZED_BEST, 1);
  snprintf(name, sizeof name, "integer products of type %d, %d rows", type, (int)rows);
  near(name, rows * OUTPUTS, y, expected, 1e-5);
  nabla_quantized_linear(rounded, &weight, 1, again, NULL, OUTPUTS, NABLA_QUANTIZED_BEST, 3);
  same(name, 4 * rows * OUTPUTS, y, again);
  nabla_stored_linear(
      type, stored, bytes / OUTPUTS, COLUMNS, 0, OUTPUTS, x, rows, bias, y, OUTPUTS, false, NULL);
  snprintf(name, sizeof name, "float32 products of type %d", type);
  near(name, rows * OUTPUTS, y, plain, 1e-5);
  free(w), free(x), free(bias), free(stored), free(space), free(expected), free(plain), free(y), free(again);
}

void test_quantized(void) {
  for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
    for (int64_t rows = 1; rows <= 5; rows += 2) check(types[i], rows);
}
