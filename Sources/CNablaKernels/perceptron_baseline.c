// The perceptron for any CPU: vectors of 4 floats, which SSE2 and NEON both have.
#define TABLE nabla_perceptron_baseline
#define WIDTH 4
#define MR 4
#define NR 2
#include "perceptron_tiles.h"
