#include <zlib.h>

// inflateInit2 is a macro. 15 window bits, and 16 for gzip's header and trailer instead of zlib's.
static inline int nabla_inflate_init_gzip(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
