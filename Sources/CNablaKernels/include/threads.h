#pragma once
#include <stdint.h>

/// Runs `body(context, thread, threadCount)` on `threadCount` threads of the pool that oneDNN uses too (libgomp), so
/// that our kernels and oneDNN's never compete for cores. Returns when all have finished.
void nabla_parallel(int32_t threadCount, void *context, void (*body)(void *context, int32_t thread, int32_t threadCount));

/// The number of threads that `nabla_parallel` and oneDNN use: set once from `--threads`.
void nabla_set_thread_count(int32_t count);
int32_t nabla_thread_count(void);

/// Whether this thread records operations for the backward pass: a counter, so that scopes nest.
int32_t nabla_recording_disabled(void);
void nabla_set_recording_disabled(int32_t disabled);
