// The perceptron for x86-64-v3: 16 registers of 8 floats hold a block of 4 × 16 sums.
#if defined(__x86_64__)
#include <math.h>
#include <string.h>
#include "perceptron_problem.h"
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define TABLE nabla_perceptron_avx2
#define WIDTH 8
#define MR 4
#define NR 2
#include "perceptron_tiles.h"
#pragma clang attribute pop
#endif
