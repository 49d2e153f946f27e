#pragma once
#include <stdbool.h>
#include <stdint.h>

/// Runs `body(context, thread, threadCount)` on `threadCount` threads of the pool that oneDNN uses too (libgomp), so
/// that our kernels and oneDNN's never compete for cores. Returns when all have finished.
void nabla_parallel(int32_t threadCount, void *context, void (*body)(void *context, int32_t thread, int32_t threadCount));

/// Runs `body(context)`, on the calling thread, while the other threads wait for the regions that it opens. A region
/// then starts in a fraction of a microsecond instead of several: for many short ones in a row. oneDNN would see only
/// one thread, and primitives made for another number: `body` must not call it.
void nabla_hold_threads(int32_t threadCount, void *context, void (*body)(void *context));

/// Whether this thread holds the others.
bool nabla_holds_threads(void);

/// The number of threads that oneDNN uses, and that callers of `nabla_parallel` should use: one number for the process,
/// whichever of its threads calls. Calling this also sets it in oneDNN, for the calling thread.
void nabla_set_thread_count(int32_t count);
int32_t nabla_thread_count(void);

/// Sets another number for the operations of the calling thread; 0 for that of the process. Returns the previous
/// setting.
int32_t nabla_use_thread_count(int32_t count);

/// Whether this thread records operations for the backward pass: a counter, so that scopes nest.
int32_t nabla_recording_disabled(void);
void nabla_set_recording_disabled(int32_t disabled);
