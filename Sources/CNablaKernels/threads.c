#include "threads.h"

// libgomp's entry points, declared here because the toolchain's clang has no OpenMP header.
extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threadCount, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int);

struct region {
  void *context;
  void (*body)(void *, int32_t, int32_t);
};

static void run(void *data) {
  struct region *r = data;
  // The pool may grant fewer threads than asked for (nested regions, limits): pass on what it granted.
  r->body(r->context, omp_get_thread_num(), omp_get_num_threads());
}

void nabla_parallel(int32_t threadCount, void *context, void (*body)(void *, int32_t, int32_t)) {
  if (threadCount <= 1) {
    body(context, 0, 1);
    return;
  }
  struct region r = {context, body};
  GOMP_parallel(run, &r, (unsigned)threadCount, 0);
}

void nabla_set_thread_count(int32_t count) { omp_set_num_threads(count); }
int32_t nabla_thread_count(void) { return omp_get_max_threads(); }

static _Thread_local int32_t recordingDisabled;
int32_t nabla_recording_disabled(void) { return recordingDisabled; }
void nabla_set_recording_disabled(int32_t disabled) { recordingDisabled = disabled; }
