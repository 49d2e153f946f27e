// Which instructions kernels may use: those of this CPU, or fewer where the environment variable NABLA_ISA says so.
#pragma once
#include <stdint.h>

/// Each level has what those before it have. Our kernels have variants up to AVX-512 with VNNI; bfloat16 and AMX are
/// oneDNN's. On CPUs that are not x86-64 there is the baseline alone, which is then what the compiler's target has.
enum nabla_isa {
  NABLA_ISA_BASELINE,     // any x86-64 (oneDNN: SSE4.1)
  NABLA_ISA_AVX2,         // x86-64-v3
  NABLA_ISA_AVX512,       // x86-64-v4
  NABLA_ISA_AVX512_VNNI,  // and products of bytes
  NABLA_ISA_AVX512_BF16,  // and products of bfloat16 pairs
  NABLA_ISA_AMX,          // and tiles of bytes and bfloat16
  NABLA_ISA_COUNT,
};
#define NABLA_ISA_UNSET -1
#define NABLA_ISA_UNKNOWN -2

/// The highest level that this CPU and its operating system have.
enum nabla_isa nabla_isa_of_cpu(void);
/// What NABLA_ISA asked for when the program began: a level, NABLA_ISA_UNSET, or NABLA_ISA_UNKNOWN for any other value.
int32_t nabla_isa_requested(void);
/// The level that kernels keep to: the lower one of those two. Settled before `main`.
enum nabla_isa nabla_isa_in_use(void);
/// The level that oneDNN keeps to. Asking fixes it.
enum nabla_isa nabla_isa_of_onednn(void);
/// The version of oneDNN that is loaded, such as 2.6.3.
void nabla_onednn_version(int32_t numbers[3]);

/// As NABLA_ISA spells it.
const char *nabla_isa_name(enum nabla_isa isa);
