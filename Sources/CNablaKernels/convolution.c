// Convolutions through oneDNN, whose primitives are cached by shape. oneDNN chooses the fastest memory layouts
// (channels in blocks); where they differ from ours, the operands are reordered into scratch memory that all
// convolutions of a thread share.
#include "convolution.h"
#include <pthread.h>
#include <stdlib.h>
#include "kernel.h"
#include "threads.h"

#if !__has_include(<oneapi/dnnl/dnnl.h>)
#error "oneDNN is missing: install it with 'apt-get install libdnnl-dev' (or run 'make setup')"
#endif
#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor;
typedef const_dnnl_memory_desc_t description;
#define REFERENCE(d) (d)
#define RELEASE(d) dnnl_memory_desc_destroy(d)
#define DESCRIBE dnnl_memory_desc_create_with_tag
#else
typedef dnnl_memory_desc_t descriptor;
typedef const dnnl_memory_desc_t *description;
#define REFERENCE(d) (&(d))
#define RELEASE(d) (void)(d)
#define DESCRIBE dnnl_memory_desc_init_by_tag
#endif

enum { X, W, BIAS, Y, OPERANDS };

/// One tensor of a pass: `ours` has the caller's layout. If oneDNN uses another layout, `theirs` has that and
/// `reorder` converts between the two.
struct operand {
  dnnl_memory_t ours, theirs;
  dnnl_primitive_t reorder;
  size_t bytes;
};
struct key {
  struct nabla_convolution problem;
  int32_t pass;
  int32_t threads;  // that oneDNN divides the primitive among, now or later
};
struct entry {
  struct key key;
  dnnl_primitive_t primitive;
  struct operand operands[OPERANDS];
};

// One cache per thread, as for matrix multiplication. Open addressing; cleared when it fills up.
#define TABLE 512
static _Thread_local struct entry *table;
static _Thread_local int32_t used;
static _Thread_local dnnl_stream_t stream;
static _Thread_local struct {
  void *memory;
  size_t bytes;
} scratch[OPERANDS];
static dnnl_engine_t engine;

static pthread_key_t ending;

static void destroy(struct entry *e) {
  if (e->primitive) dnnl_primitive_destroy(e->primitive);
  for (int i = 0; i < OPERANDS; i++) {
    struct operand *o = &e->operands[i];
    if (o->ours) dnnl_memory_destroy(o->ours);
    if (o->theirs) dnnl_memory_destroy(o->theirs);
    if (o->reorder) dnnl_primitive_destroy(o->reorder);
  }
  memset(e, 0, sizeof *e);
}

/// The primitive's description for a pass; oneDNN chooses the layouts in `d`.
static dnnl_status_t describe_pass(const struct nabla_convolution *p, int32_t pass, descriptor d[OPERANDS],
                                   dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *result) {
  dnnl_dims_t dilation = {p->dilation[0] - 1, p->dilation[1] - 1};
  dnnl_alg_kind_t algorithm = dnnl_convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  dnnl_memory_desc_t bias = p->hasBias ? d[BIAS] : NULL;
  switch (pass) {
    case NABLA_CONVOLUTION_FORWARD:
      return dnnl_convolution_forward_primitive_desc_create(result, engine, dnnl_forward_training, algorithm, d[X],
                                                            d[W], bias, d[Y], p->stride, dilation, p->padding,
                                                            p->padding, NULL);
    case NABLA_CONVOLUTION_BACKWARD_INPUT:
      return dnnl_convolution_backward_data_primitive_desc_create(result, engine, algorithm, d[X], d[W], d[Y],
                                                                  p->stride, dilation, p->padding, p->padding, hint,
                                                                  NULL);
    default:
      return dnnl_convolution_backward_weights_primitive_desc_create(result, engine, algorithm, d[X], d[W], bias, d[Y],
                                                                     p->stride, dilation, p->padding, p->padding,
                                                                     hint, NULL);
  }
#else
  dnnl_memory_desc_t *bias = p->hasBias ? &d[BIAS] : NULL;
  dnnl_convolution_desc_t operation;
  dnnl_status_t status;
  switch (pass) {
    case NABLA_CONVOLUTION_FORWARD:
      status = dnnl_dilated_convolution_forward_desc_init(&operation, dnnl_forward_training, algorithm, &d[X], &d[W],
                                                          bias, &d[Y], p->stride, dilation, p->padding, p->padding);
      break;
    case NABLA_CONVOLUTION_BACKWARD_INPUT:
      status = dnnl_dilated_convolution_backward_data_desc_init(&operation, algorithm, &d[X], &d[W], &d[Y], p->stride,
                                                                dilation, p->padding, p->padding);
      break;
    default:
      status = dnnl_dilated_convolution_backward_weights_desc_init(&operation, algorithm, &d[X], &d[W], bias, &d[Y],
                                                                   p->stride, dilation, p->padding, p->padding);
  }
  return status ? status : dnnl_primitive_desc_create(result, &operation, NULL, engine, hint);
#endif
}

/// Prepares one operand: its memory in the caller's layout and, if the primitive uses another, the reorder between
/// them.
static dnnl_status_t prepare(struct operand *o, description plain, description wanted, int written) {
  dnnl_status_t status = dnnl_memory_create(&o->ours, plain, engine, DNNL_MEMORY_NONE);
  if (status || dnnl_memory_desc_equal(plain, wanted)) return status;
  o->bytes = dnnl_memory_desc_get_size(wanted);
  status = dnnl_memory_create(&o->theirs, wanted, engine, DNNL_MEMORY_NONE);
  dnnl_primitive_desc_t reorder;
  if (!status)
    status = dnnl_reorder_primitive_desc_create(&reorder, written ? wanted : plain, engine, written ? plain : wanted,
                                                engine, NULL);
  if (status) return status;
  status = dnnl_primitive_create(&o->reorder, reorder);
  dnnl_primitive_desc_destroy(reorder);
  return status;
}

static dnnl_status_t create(const struct nabla_convolution *p, int32_t pass, struct entry *e) {
  int grouped = p->groups > 1;
  dnnl_dims_t x = {p->batch, p->inputChannels, p->input[0], p->input[1]};
  dnnl_dims_t y = {p->batch, p->outputChannels, p->output[0], p->output[1]};
  dnnl_dims_t w = {p->groups, p->outputChannels / p->groups, p->inputChannels / p->groups, p->kernel[0], p->kernel[1]};
  dnnl_dims_t bias = {p->outputChannels};
  const dnnl_dim_t *dims[] = {x, grouped ? w : w + 1, bias, y};
  const int ranks[] = {4, grouped ? 5 : 4, 1, 4};
  const dnnl_format_tag_t tags[] = {dnnl_nchw, grouped ? dnnl_goihw : dnnl_oihw, dnnl_x, dnnl_nchw};
  descriptor plain[OPERANDS], any[OPERANDS];
  for (int i = 0; i < OPERANDS; i++) {
    dnnl_status_t status = DESCRIBE(&plain[i], ranks[i], dims[i], dnnl_f32, tags[i]);
    if (!status) status = DESCRIBE(&any[i], ranks[i], dims[i], dnnl_f32, i == BIAS ? dnnl_x : dnnl_format_tag_any);
    if (status) return status;
  }
  dnnl_primitive_desc_t forward = NULL, chosen = NULL;
  dnnl_status_t status = describe_pass(p, NABLA_CONVOLUTION_FORWARD, any, NULL, &forward);
  if (!status && pass == NABLA_CONVOLUTION_FORWARD) chosen = forward;
  if (!status && pass != NABLA_CONVOLUTION_FORWARD) status = describe_pass(p, pass, any, forward, &chosen);
  if (!status) {
    int input = pass == NABLA_CONVOLUTION_BACKWARD_INPUT, weights = pass == NABLA_CONVOLUTION_BACKWARD_WEIGHTS;
    int output = pass == NABLA_CONVOLUTION_FORWARD;
    const dnnl_query_t queries[] = {input ? dnnl_query_diff_src_md : dnnl_query_src_md,
                                    weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0,
                                    output ? dnnl_query_dst_md : dnnl_query_diff_dst_md};
    const int written[] = {input, weights, weights, output};
    for (int i = 0; i < OPERANDS && !status; i++) {
      description wanted = i == BIAS ? REFERENCE(plain[i]) : dnnl_primitive_desc_query_md(chosen, queries[i], 0);
      status = prepare(&e->operands[i], REFERENCE(plain[i]), wanted, written[i]);
    }
    if (!status) status = dnnl_primitive_create(&e->primitive, chosen);
  }
  if (chosen && chosen != forward) dnnl_primitive_desc_destroy(chosen);
  if (forward) dnnl_primitive_desc_destroy(forward);
  for (int i = 0; i < OPERANDS; i++) {
    RELEASE(plain[i]);
    RELEASE(any[i]);
  }
  if (status) destroy(e);
  return status;
}

static uint64_t hash(const struct key *key) {
  uint64_t words[sizeof *key / 8], h = 1469598103934665603u;
  memcpy(words, key, sizeof words);
  for (unsigned i = 0; i < sizeof words / 8; i++) h = (h ^ words[i]) * 1099511628211u, h ^= h >> 29;
  return h;
}

/// A thread frees its primitives and scratch memory when it exits.
static void end_thread(void *memory) {
  struct entry *entries = memory;
  for (int i = 0; i < TABLE; i++)
    if (entries[i].primitive) destroy(&entries[i]);
  free(entries);
  for (int i = 0; i < OPERANDS; i++) free(scratch[i].memory);
  dnnl_stream_destroy(stream);
}

static void create_engine(void) {
  dnnl_engine_create(&engine, dnnl_cpu, 0);
  pthread_key_create(&ending, end_thread);
}

static struct entry *lookup(const struct key *key, dnnl_status_t *status) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (!table) {
    pthread_once(&once, create_engine);
    // A oneDNN built for another runtime (SYCL, say) has no engine where that is missing.
    if (!engine) return *status = dnnl_runtime_error, NULL;
    table = calloc(TABLE, sizeof *table);
    dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    pthread_setspecific(ending, table);
  }
  uint64_t slot = hash(key) % TABLE;
  for (; table[slot].primitive; slot = (slot + 1) % TABLE)
    if (!memcmp(&table[slot].key, key, sizeof *key)) return &table[slot];
  if (used == TABLE * 3 / 4) {
    for (int i = 0; i < TABLE; i++)
      if (table[i].primitive) destroy(&table[i]);
    used = 0;
    slot = hash(key) % TABLE;
  }
  *status = create(&key->problem, key->pass, &table[slot]);
  if (*status) return NULL;
  table[slot].key = *key;
  used++;
  return &table[slot];
}

/// Scratch memory of at least `bytes` for one operand.
static void *scratch_for(int operand, size_t bytes) {
  if (scratch[operand].bytes < bytes) {
    free(scratch[operand].memory);
    size_t size = (bytes + 4095) / 4096 * 4096;
    scratch[operand].memory = aligned_alloc(4096, size);
    scratch[operand].bytes = scratch[operand].memory ? size : 0;
  }
  return scratch[operand].memory;
}

static dnnl_status_t reorder(const struct operand *o, int back) {
  dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, back ? o->theirs : o->ours}, {DNNL_ARG_TO, back ? o->ours : o->theirs}};
  return dnnl_primitive_execute(o->reorder, stream, 2, arguments);
}

int32_t nabla_convolution_run(const struct nabla_convolution *problem, int32_t pass, float *x, float *w, float *bias,
                              float *y) {
  struct key key;
  memset(&key, 0, sizeof key);
  key.problem = *problem;
  key.pass = pass;
  key.threads = nabla_thread_count();
  dnnl_status_t status = dnnl_success;
  struct entry *e = lookup(&key, &status);
  if (!e) return (int32_t)status;

  int input = pass == NABLA_CONVOLUTION_BACKWARD_INPUT, weights = pass == NABLA_CONVOLUTION_BACKWARD_WEIGHTS;
  int output = pass == NABLA_CONVOLUTION_FORWARD;
  const int written[] = {input, weights, weights, output};
  const int names[] = {input ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, weights ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
                       weights ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, output ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST};
  float *ours[] = {x, w, bias, y};
  dnnl_exec_arg_t arguments[OPERANDS];
  int count = 0;
  for (int i = 0; i < OPERANDS && !status; i++) {
    if (i == BIAS && (!problem->hasBias || input)) continue;
    struct operand *o = &e->operands[i];
    dnnl_memory_set_data_handle(o->ours, ours[i]);
    if (o->theirs) {
      void *memory = scratch_for(i, o->bytes);
      if (!memory) return dnnl_out_of_memory;
      dnnl_memory_set_data_handle(o->theirs, memory);
      if (!written[i]) status = reorder(o, 0);
    }
    arguments[count++] = (dnnl_exec_arg_t){names[i], o->theirs ? o->theirs : o->ours};
  }
  if (!status) status = dnnl_primitive_execute(e->primitive, stream, count, arguments);
  for (int i = 0; i < OPERANDS && !status; i++)
    if (written[i] && e->operands[i].theirs) status = reorder(&e->operands[i], 1);
  return (int32_t)status;
}
