// Scratch memory that a thread keeps from call to call.
#include "attention_problem.h"
#include <pthread.h>
#include <stdlib.h>

struct workspace {
  void *memory[2];
  size_t bytes[2];
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local struct workspace *mine;

static void release(void *workspace) {
  struct workspace *w = workspace;
  free(w->memory[0]);
  free(w->memory[1]);
  free(w);
}
static void createKey(void) { pthread_key_create(&key, release); }

void *nabla_attention_workspace(int32_t slot, size_t bytes) {
  if (!mine) {
    pthread_once(&once, createKey);
    mine = calloc(1, sizeof *mine);
    if (!mine) abort();
    pthread_setspecific(key, mine);
  }
  if (mine->bytes[slot] < bytes) {
    free(mine->memory[slot]);
    mine->bytes[slot] = (bytes + 4095) & ~(size_t)4095;
    mine->memory[slot] = aligned_alloc(64, mine->bytes[slot]);
    if (!mine->memory[slot]) abort();
  }
  return mine->memory[slot];
}
