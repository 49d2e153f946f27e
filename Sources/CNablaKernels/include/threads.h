#pragma once
#include <stdbool.h>
#include <stdint.h>

/// Runs `body(context, thread, threadCount)` on `threadCount` threads of the pool that oneDNN uses too (libgomp), so
/// that our kernels and oneDNN's never compete for cores. Returns when all have finished.
void nabla_parallel(int32_t threadCount, void *context, void (*body)(void *context, int32_t thread, int32_t threadCount));

/// Runs `body(context)`, on the calling thread, while the other threads wait for the regions that it opens. A region then
/// begins in a fraction of a microsecond, not in several: for many short ones in a row. oneDNN would find one thread
/// only, and primitives made for another number: `body` must not come to it.
void nabla_hold_threads(int32_t threadCount, void *context, void (*body)(void *context));

/// Whether this thread holds the others.
bool nabla_holds_threads(void);

/// The number of threads that oneDNN uses, and whoever calls `nabla_parallel` should: one number for the process, whichever
/// of its threads calls. Asking for it also tells oneDNN, on the calling thread.
void nabla_set_thread_count(int32_t count);
int32_t nabla_thread_count(void);

/// Another number for what the calling thread runs; 0 for that of the process. Returns what was set before.
int32_t nabla_use_thread_count(int32_t count);

/// Whether this thread records operations for the backward pass: a counter, so that scopes nest.
int32_t nabla_recording_disabled(void);
void nabla_set_recording_disabled(int32_t disabled);
