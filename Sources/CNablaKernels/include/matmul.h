#pragma once
#include <stdint.h>

enum nabla_matmul_type { NABLA_FLOAT32 = 0, NABLA_BFLOAT16 = 1 };

/// C = A·B, or C += A·B if `accumulate`; for each of `batch` pairs. A: [m, k], B: [k, n], C: [m, n].
/// `rowA`/`columnA` are the strides of A in elements (one of them 1: a transposed operand needs no copy), likewise B;
/// C's columns are adjacent and its rows `rowC` apart. `batchA`… are the distances between the matrices of a batch.
/// `bias` (may be null) is float32 [n], added to each row. Sums are float32 whatever the types.
struct nabla_matmul {
  int64_t batch, m, n, k;
  int64_t rowA, columnA, batchA, rowB, columnB, batchB, rowC, batchC;
  int32_t typeA, typeB, typeC, accumulate, hasBias;
  int32_t reserved;  // 0: no padding bytes, so that problems compare and hash by their bytes
};
/// Returns 0, or oneDNN's status code. Uses all threads of the pool.
int32_t nabla_matmul_run(const struct nabla_matmul *problem, const void *a, const void *b, const float *bias, void *c);

/// 1 if bfloat16 products run in hardware (AVX512-BF16 or AMX, where nabla_isa_of_onednn allows it), else 0.
int32_t nabla_has_bfloat16(void);
