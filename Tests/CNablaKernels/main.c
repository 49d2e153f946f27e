// Runs the C kernels against naive references, without Swift and without oneDNN: for CPUs that Swift's tests have not
// run on. Scripts/test-aarch64 builds it for 64-bit ARM.
#include "check.h"

int failures = 0;
static uint32_t state = 1;

float number(void) {
  state = state * 1664525u + 1013904223u;
  return (float)(int32_t)state / 2147483648.0f;
}
void *memory(int64_t bytes) {
  void *x = aligned_alloc(64, (size_t)(bytes + 127) / 64 * 64);
  if (!x) abort();
  return memset(x, 0, (size_t)(bytes + 127) / 64 * 64);
}
float *numbers(int64_t n) {
  float *x = memory(4 * n);
  for (int64_t i = 0; i < n; i++) x[i] = number();
  return x;
}

void near(const char *what, int64_t n, const float *actual, const double *expected, double tolerance) {
  double largest = 0;
  for (int64_t i = 0; i < n; i++)
    if (isfinite(expected[i])) largest = fmax(largest, fabs(expected[i]));
  for (int64_t i = 0; i < n; i++) {
    if (actual[i] == expected[i] || (isnan(actual[i]) && isnan(expected[i]))) continue;
    if (fabs(actual[i] - expected[i]) <= tolerance * (1 + largest)) continue;
    printf("FAILED %s: element %lld of %lld is %.9g, reference %.9g\n", what, (long long)i, (long long)n, actual[i],
           expected[i]);
    failures++;
    return;
  }
}
void near16(const char *what, int64_t n, const uint16_t *actual, const double *expected, double tolerance) {
  float *x = memory(4 * n);
  for (int64_t i = 0; i < n; i++) x[i] = wide(actual[i]);
  near(what, n, x, expected, tolerance);
  free(x);
}
void same(const char *what, int64_t bytes, const void *a, const void *b) {
  if (!memcmp(a, b, (size_t)bytes)) return;
  printf("FAILED %s: not the same bits\n", what);
  failures++;
}
void exact(const char *what, int64_t bytes, const void *x) {
  uint64_t hash = 1469598103934665603u;
  for (int64_t i = 0; i < bytes; i++) hash = (hash ^ ((const uint8_t *)x)[i]) * 1099511628211u;
  printf("exact %s %016llx\n", what, (unsigned long long)hash);
}

// oneDNN is not linked: there is nothing to cap.
void nabla_onednn_cap(enum nabla_isa isa) { (void)isa; }

int main(void) {
  test_numbers();
  test_elements();
  test_rows();
  test_attention();
  test_quantized();
  test_networks();
  printf("%s kernels: %d failed\n", nabla_isa_name(nabla_isa_in_use()), failures);
  return failures > 0;
}
