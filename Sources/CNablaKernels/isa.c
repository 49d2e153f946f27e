// The instruction set is determined once, before main: what the CPU supports, what NABLA_ISA allows, and oneDNN
// configured before it creates its first primitive.
#include "isa.h"
#include <stdlib.h>
#include <string.h>
#include "kernel.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum nabla_isa nabla_kernel_isa;  // the baseline, should a kernel run before `settle`
static int32_t requested = NABLA_ISA_UNSET;

static const char *const names[NABLA_ISA_COUNT] = {"baseline", "avx2", "avx512", "avx512-vnni", "avx512-bf16", "amx"};
const char *nabla_isa_name(enum nabla_isa isa) { return names[isa]; }

#if defined(__x86_64__)
/// Tiles, and the operating system's support for their state (bits 17 and 18 of XCR0).
static int has_amx(void) {
  uint32_t a, b, c, d, low, high;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  const uint32_t bfloat16 = 1u << 22, tiles = 1u << 24, bytes = 1u << 25;
  if ((d & (bfloat16 | tiles | bytes)) != (bfloat16 | tiles | bytes)) return 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low >> 17 & 3) == 3;
}

enum nabla_isa nabla_isa_of_cpu(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("x86-64-v3")) return NABLA_ISA_BASELINE;
  if (!__builtin_cpu_supports("x86-64-v4")) return NABLA_ISA_AVX2;
  if (!__builtin_cpu_supports("avx512vnni")) return NABLA_ISA_AVX512;
  if (!__builtin_cpu_supports("avx512bf16")) return NABLA_ISA_AVX512_VNNI;
  return has_amx() ? NABLA_ISA_AMX : NABLA_ISA_AVX512_BF16;
}
#else
enum nabla_isa nabla_isa_of_cpu(void) { return NABLA_ISA_BASELINE; }
#endif

int32_t nabla_isa_requested(void) { return requested; }
enum nabla_isa nabla_isa_in_use(void) { return nabla_kernel_isa; }

__attribute__((constructor)) static void settle(void) {
  const char *value = getenv("NABLA_ISA");
  nabla_kernel_isa = nabla_isa_of_cpu();
  if (!value || !*value) return;
  requested = NABLA_ISA_UNKNOWN;
  for (int32_t isa = 0; isa < NABLA_ISA_COUNT; isa++)
    if (!strcmp(value, names[isa])) requested = isa;
  if (requested < 0 || requested >= (int32_t)nabla_kernel_isa) return;
  nabla_kernel_isa = (enum nabla_isa)requested;
  nabla_onednn_cap(nabla_kernel_isa);
}
