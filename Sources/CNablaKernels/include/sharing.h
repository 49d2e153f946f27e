// Work of a few microseconds, shared with helper threads.
//
// A libgomp region (threads.h) ends when all of its threads have arrived. If another program occupies the core
// of one, all wait for a time slice: hundreds of times what a small network takes. Here a late helper finds
// nothing left to do, and nothing has waited for it.
#pragma once
#include <stdint.h>

/// Runs body(context, piece) for each piece in 0..<pieces, on the calling thread and at most threadCount - 1 helpers,
/// in any order. Returns when all are done.
void nabla_share(int32_t threadCount, int64_t pieces, void *context, void (*body)(void *context, int64_t piece));
