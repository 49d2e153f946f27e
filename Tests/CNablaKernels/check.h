// What the reference tests share: numbers to test with, and a count of those results that are too far from their
// float64 references.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "CNablaKernels.h"

extern int failures;

/// Numbers in [-1, 1) from a linear congruential generator.
float number(void);
float *numbers(int64_t n);
/// Zeroed, 64-byte aligned memory.
void *memory(int64_t bytes);

/// Counts and tells a result that is further from its reference than tolerance · (1 + largest reference).
void near(const char *what, int64_t n, const float *actual, const double *expected, double tolerance);
void near16(const char *what, int64_t n, const uint16_t *actual, const double *expected, double tolerance);
void same(const char *what, int64_t bytes, const void *a, const void *b);
/// Prints a hash of results in which nothing is rounded, which must be the same on every CPU.
void exact(const char *what, int64_t bytes, const void *x);

static inline float wide(uint16_t x) {
  const uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy(&y, &bits, 4);
  return y;
}

void test_numbers(void);
void test_elements(void);
void test_rows(void);
void test_attention(void);
void test_quantized(void);
void test_networks(void);
