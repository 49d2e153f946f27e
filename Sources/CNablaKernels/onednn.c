// oneDNN's own instruction-set levels, translated to ours. Its levels are masks: each holds the bits of those it
// contains.
#include <stddef.h>
#include "isa.h"
#include "kernel.h"
#include "matmul.h"

#if !__has_include(<oneapi/dnnl/dnnl.h>)
#error "oneDNN is missing: install it with 'apt-get install libdnnl-dev' (or run 'make setup')"
#endif
#include <oneapi/dnnl/dnnl.h>

// These names and their order are the same in oneDNN 2 and 3.
static const dnnl_cpu_isa_t levels[NABLA_ISA_COUNT] = {
    dnnl_cpu_isa_sse41,           dnnl_cpu_isa_avx2,
    dnnl_cpu_isa_avx512_core,     dnnl_cpu_isa_avx512_core_vnni,
    dnnl_cpu_isa_avx512_core_bf16, dnnl_cpu_isa_avx512_core_amx,
};

// If oneDNN was built without this setting it keeps its own level, which nabla_isa_of_onednn then reports.
void nabla_onednn_cap(enum nabla_isa isa) { (void)dnnl_set_max_cpu_isa(levels[isa]); }

enum nabla_isa nabla_isa_of_onednn(void) {
#if defined(__x86_64__)
  const unsigned effective = (unsigned)dnnl_get_effective_cpu_isa();
  for (int isa = NABLA_ISA_COUNT - 1; isa > NABLA_ISA_BASELINE; isa--)
    if ((effective & (unsigned)levels[isa]) == (unsigned)levels[isa]) return (enum nabla_isa)isa;
#endif
  return NABLA_ISA_BASELINE;
}

void nabla_onednn_version(int32_t numbers[3]) {
  const dnnl_version_t *version = dnnl_version();
  numbers[0] = version->major, numbers[1] = version->minor, numbers[2] = version->patch;
}

int32_t nabla_has_bfloat16(void) { return nabla_isa_of_onednn() >= NABLA_ISA_AVX512_BF16; }
