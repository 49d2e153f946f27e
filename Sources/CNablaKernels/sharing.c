#include "include/sharing.h"
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

// How long a helper spins for more work before it sleeps: longer than the gaps within a training step, even
// on a busy core. Waking takes as long as a whole piece of work.
#define SPIN_NANOSECONDS 400000
#define MAX_HELPERS 255
#define MAX_PIECES 65535

// The current work. A ticket has its number in the upper half, and below it the bounds of the pieces not yet taken. The
// other fields change only while there are none, so a thread that takes a piece with a compare-and-swap of the ticket
// that it read before them has read the fields of the same work.
static struct {
  _Atomic uint64_t ticket;
  _Atomic int32_t helpers;  // that may take part
  void *_Atomic context;
  void (*_Atomic body)(void *, int64_t);
  _Atomic uint32_t finished;
} work;

static uint64_t ticketFor(uint32_t number, uint32_t first, uint32_t end) {
  return (uint64_t)number << 32 | first << 16 | end;
}
static uint32_t numberOf(uint64_t ticket) { return (uint32_t)(ticket >> 32); }
static uint32_t firstOf(uint64_t ticket) { return ticket >> 16 & 65535; }
static uint32_t endOf(uint64_t ticket) { return ticket & 65535; }

static atomic_flag busy = ATOMIC_FLAG_INIT;
static int32_t helperCount;  // changed only by busy threads
static _Atomic int32_t sleeping;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static int64_t nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// Takes pieces until none are left, and returns whether it took any. The calling thread, helper -1, begins with the
// first and the helpers with the last: the same rows are then mostly in the same core's caches, from one call to the
// next.
static int takePieces(int32_t helper) {
  int took = 0;
  uint64_t ticket = atomic_load(&work.ticket);
  while (firstOf(ticket) < endOf(ticket)) {
    void (*body)(void *, int64_t) = atomic_load_explicit(&work.body, memory_order_relaxed);
    void *context = atomic_load_explicit(&work.context, memory_order_relaxed);
    if (helper >= atomic_load_explicit(&work.helpers, memory_order_relaxed)) break;
    const uint32_t piece = helper < 0 ? firstOf(ticket) : endOf(ticket) - 1;
    const uint64_t next = ticketFor(numberOf(ticket), firstOf(ticket) + (helper < 0), endOf(ticket) - (helper >= 0));
    if (!atomic_compare_exchange_weak(&work.ticket, &ticket, next)) continue;
    body(context, piece);
    atomic_fetch_add(&work.finished, 1);
    took = 1;
    ticket = atomic_load(&work.ticket);
  }
  return took;
}

static void *help(void *argument) {
  const int32_t helper = (int32_t)(intptr_t)argument;
  for (;;) {
    for (int64_t until = nanoseconds() + SPIN_NANOSECONDS; nanoseconds() < until;)
      if (takePieces(helper)) until = nanoseconds() + SPIN_NANOSECONDS;
    pthread_mutex_lock(&mutex);
    const uint32_t seen = numberOf(atomic_load(&work.ticket));
    atomic_fetch_add(&sleeping, 1);
    while (numberOf(atomic_load(&work.ticket)) == seen) pthread_cond_wait(&changed, &mutex);
    atomic_fetch_sub(&sleeping, 1);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

void nabla_share(int32_t threadCount, int64_t pieces, void *context, void (*body)(void *, int64_t)) {
  // Nested calls, and calls from other threads meanwhile, run on their own thread.
  if (threadCount <= 1 || pieces <= 1 || pieces > MAX_PIECES || atomic_flag_test_and_set(&busy)) {
    for (int64_t piece = 0; piece < pieces; piece++) body(context, piece);
    return;
  }
  const int32_t helpers = threadCount - 1 < MAX_HELPERS ? threadCount - 1 : MAX_HELPERS;
  for (pthread_t thread; helperCount < helpers; helperCount++) {
    if (pthread_create(&thread, NULL, help, (void *)(intptr_t)helperCount)) break;
    pthread_detach(thread);
  }
  atomic_store_explicit(&work.body, body, memory_order_relaxed);
  atomic_store_explicit(&work.context, context, memory_order_relaxed);
  atomic_store_explicit(&work.helpers, helpers, memory_order_relaxed);
  atomic_store(&work.finished, 0);
  atomic_store(&work.ticket, ticketFor(numberOf(atomic_load(&work.ticket)) + 1, 0, (uint32_t)pieces));
  if (atomic_load(&sleeping) > 0) {
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
  }
  takePieces(-1);
  // Wait only for helpers that are working.
  while (atomic_load(&work.finished) < (uint32_t)pieces) sched_yield();
  atomic_flag_clear(&busy);
}
