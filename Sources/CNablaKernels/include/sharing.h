// Work of some microseconds, shared with threads that are there to help.
//
// A region of libgomp (threads.h) ends when each of its threads has been there. One that another program keeps from its
// core makes all wait for a time slice: hundreds of times what a small network takes. Here a helper that is late finds
// nothing left to do, and nobody has waited for it.
#pragma once
#include <stdint.h>

/// Runs body(context, piece) for each piece in 0..<pieces, on the calling thread and at most threadCount - 1 helpers, in
/// any order. Returns when all are done.
void nabla_share(int32_t threadCount, int64_t pieces, void *context, void (*body)(void *context, int64_t piece));
