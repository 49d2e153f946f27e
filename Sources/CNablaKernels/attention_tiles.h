// All attention kernels of one instruction set. The including file defines TABLE, WIDTH, MR and NR; see
// tiles.h.
#include "attention_vector.h"
#include <sched.h>
#include "attention_forward.h"
#include "attention_backward.h"
#include "attention_decode.h"

_Static_assert(FORWARD_KEYS % MR == 0 && BACKWARD_QUERIES % MR == 0, "tiles hold whole register blocks");
_Static_assert(STRIP % MR == 0 && BACKWARD_KEYS % STRIP == 0, "strips hold whole register blocks");

const struct attention_kernels TABLE = {
    .forward = forwardBlock,
    .forwardFloats = forwardFloats,
    .backwardPrepare = backwardPrepare,
    .backward = backwardBlock,
    .backwardFloats = backwardFloats,
    .decode = decodeChunk,
    .decodeMerge = decodeMerge,
    .decodeFloats = decodeFloats,
};
