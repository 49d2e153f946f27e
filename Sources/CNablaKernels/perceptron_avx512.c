// The perceptron for x86-64-v4: 32 registers of 16 floats hold a block of 8 × 32 sums.
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>
#include "perceptron_problem.h"
// Without min_vector_width clang would split 16 floats in two, its default for this architecture.
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"), min_vector_width(512))), apply_to = function)
#define TABLE nabla_perceptron_avx512
#define WIDTH 16
#define MR 8
#define NR 2
#include "perceptron_tiles.h"
#pragma clang attribute pop
#endif
