// Which instructions kernels may use: those of this CPU, or fewer if the environment variable NABLA_ISA says so.
#pragma once
#include <stdint.h>

/// Each level includes those before it. Our kernels have variants up to AVX-512 with VNNI; bfloat16 and AMX are
/// oneDNN's. On CPUs other than x86-64 there is only the baseline, which is then the compiler target's instruction set.
enum nabla_isa {
  NABLA_ISA_BASELINE,     // any x86-64 (oneDNN: SSE4.1)
  NABLA_ISA_AVX2,         // x86-64-v3
  NABLA_ISA_AVX512,       // x86-64-v4
  NABLA_ISA_AVX512_VNNI,  // adds byte dot products
  NABLA_ISA_AVX512_BF16,  // adds dot products of bfloat16 pairs
  NABLA_ISA_AMX,          // adds tiles of bytes and bfloat16
  NABLA_ISA_COUNT,
};
#define NABLA_ISA_UNSET -1
#define NABLA_ISA_UNKNOWN -2

/// The highest level that this CPU and its operating system support.
enum nabla_isa nabla_isa_of_cpu(void);
/// What NABLA_ISA requested when the program started: a level, NABLA_ISA_UNSET, or NABLA_ISA_UNKNOWN for any other
/// value.
int32_t nabla_isa_requested(void);
/// The level that kernels use: the lower of those two. Determined before `main`.
enum nabla_isa nabla_isa_in_use(void);
/// The level that oneDNN uses. The first call fixes it.
enum nabla_isa nabla_isa_of_onednn(void);
/// The version of oneDNN that is loaded, such as 2.6.3.
void nabla_onednn_version(int32_t numbers[3]);

/// The name of a level in NABLA_ISA.
const char *nabla_isa_name(enum nabla_isa isa);
