#include "threads.h"
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

// libgomp's entry points, declared here because the toolchain's clang has no OpenMP header.
extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threadCount, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int);

struct region {
  void *context;
  void (*body)(void *, int32_t, int32_t);
  int32_t threads;  // that take part in it
};

static void run(void *data) {
  struct region *r = data;
  // The pool may grant fewer threads than requested (nested regions, limits): pass on what it granted.
  const int32_t granted = omp_get_num_threads(), threads = r->threads < granted ? r->threads : granted;
  const int32_t thread = omp_get_thread_num();
  if (thread < threads) r->body(r->context, thread, threads);
}

// Polls of memory before a waiting thread yields, which it then does each time.
#define SPINS 2000

static void wait_a_little(int64_t *spins) {
  if (++*spins > SPINS)
    sched_yield();
  else
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

struct hold {
  void *context;
  void (*body)(void *);
  struct region region;  // the current one; without a body there will be no more
  int32_t granted;
  // Each in its own cache line: helpers poll the first, and the caller the second.
  _Alignas(64) _Atomic uint32_t number;  // of the region
  _Alignas(64) _Atomic int32_t working;
};

static _Thread_local struct hold *held;

bool nabla_holds_threads(void) { return held != NULL; }

static void help(struct hold *h, int32_t thread) {
  for (uint32_t seen = 0;; seen++) {
    int64_t spins = 0;
    while (atomic_load_explicit(&h->number, memory_order_acquire) == seen) wait_a_little(&spins);
    if (!h->region.body) return;
    if (thread < h->region.threads) h->region.body(h->region.context, thread, h->region.threads);
    atomic_fetch_sub_explicit(&h->working, 1, memory_order_release);
  }
}

static void run_held(struct hold *h, struct region region) {
  h->region = region;
  if (h->region.threads > h->granted) h->region.threads = h->granted;
  atomic_store_explicit(&h->working, h->granted - 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&h->number, 1, memory_order_release);
  if (!region.body) return;
  held = NULL;  // nested regions run on one thread, as always
  region.body(region.context, 0, h->region.threads);
  held = h;
  for (int64_t spins = 0; atomic_load_explicit(&h->working, memory_order_acquire) > 0;) wait_a_little(&spins);
}

static void hold(void *data) {
  struct hold *h = data;
  if (omp_get_thread_num() > 0) {
    help(h, omp_get_thread_num());
    return;
  }
  h->granted = omp_get_num_threads();
  held = h;
  h->body(h->context);
  run_held(h, (struct region){NULL, NULL, 1});
  held = NULL;
}

void nabla_hold_threads(int32_t threadCount, void *context, void (*body)(void *)) {
  if (threadCount <= 1 || held) {
    body(context);
    return;
  }
  struct hold h = {.context = context, .body = body};
  GOMP_parallel(hold, &h, (unsigned)threadCount, 0);
}

void nabla_parallel(int32_t threadCount, void *context, void (*body)(void *, int32_t, int32_t)) {
  struct region r = {context, body, threadCount};
  if (threadCount <= 1)
    body(context, 0, 1);
  else if (held)
    run_held(held, r);
  else {
    // All threads start, also for fewer parts: libgomp ends the threads that a region leaves out, and the next one
    // would have to create them.
    const int32_t all = nabla_thread_count();
    GOMP_parallel(run, &r, (unsigned)(threadCount > all ? threadCount : all), 0);
  }
}

static _Atomic int32_t processCount;    // 0 until the first call: as many as libgomp has
static _Thread_local int32_t ownCount;  // of this thread only; 0 for the process's

void nabla_set_thread_count(int32_t count) { atomic_store(&processCount, count); }

static int32_t process_count(void) {
  int32_t count = atomic_load(&processCount);
  if (count) return count;
  const int32_t standard = omp_get_max_threads();
  return atomic_compare_exchange_strong(&processCount, &count, standard) ? standard : count;
}

int32_t nabla_use_thread_count(int32_t count) {
  process_count();  // before libgomp is given another
  const int32_t before = ownCount;
  ownCount = count;
  return before;
}

int32_t nabla_thread_count(void) {
  const int32_t count = ownCount ? ownCount : process_count();
  // oneDNN asks libgomp, which has a number for each thread that calls it: for a new thread, the number of cores.
  if (omp_get_max_threads() != count) omp_set_num_threads(count);
  return count;
}

static _Thread_local int32_t recordingDisabled;
int32_t nabla_recording_disabled(void) { return recordingDisabled; }
void nabla_set_recording_disabled(int32_t disabled) { recordingDisabled = disabled; }
