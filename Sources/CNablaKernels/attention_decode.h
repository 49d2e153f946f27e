// Decoding: one query per row against a paged cache, where the time goes into reading the cache. A task is one
// key/value head, a chunk of at most DECODE_KEYS keys, and some rows. It goes through the chunk page by page. Every key
// and value is read once for all query heads of the group and all rows of the task that share the page: samples of
// one prompt read it once (Juravsky et al. 2024, "Hydragen"). What a task computes for a row depends on that row alone,
// so rows get the same bits whatever else is in the batch.
//
// In a page the keys of a head are stored transposed, [D][64]: the scores of a whole vector of keys accumulate side by
// side, and no horizontal sum is needed.

enum { PAGE = NABLA_CACHE_PAGE, ROWS = 4, KEY_VECTORS = WIDTH == 16 ? 4 : 2 };
typedef int8_t bvec_unaligned __attribute__((vector_size(WIDTH), aligned(1)));

// WIDTH numbers of the cache, from element i.
INLINE vec loadCached(enum nabla_cache_type type, const void *x, int64_t i) {
  if (type == NABLA_CACHE_BFLOAT16) return loadBFloat16((const uint16_t *)x + i);
  if (type == NABLA_CACHE_INT8)
    return __builtin_convertvector(*(const bvec_unaligned *)((const int8_t *)x + i), vec);
  return load((const float *)x + i);
}

// Prefetches `count` numbers from element i of what is read next, if anything: the hardware prefetcher only follows
// reads within a page, and stalls at the start of each.
INLINE void fetchCached(enum nabla_cache_type type, const char *next, int64_t i, int64_t count) {
  const int64_t size = cachedSize(type);
  if (!next) return;
  _Pragma("clang loop unroll(full)") for (int64_t b = 0; b < count * size; b += 64)
      __builtin_prefetch(next + i * size + b, 0, 2);
}

// s[m][j] = q[m] · k[j] for the keys of one page. q: [rows][dp]; s: rows of DECODE_KEYS.
INLINE void pageScores(
    enum nabla_cache_type type, const int rows, float *s, const float *q, int64_t dp, int64_t d, const void *keys,
    const char *next) {
  for (int64_t j = 0; j < PAGE; j += KEY_VECTORS * WIDTH) {
    vec acc[ROWS][KEY_VECTORS] = {0};
    for (int64_t i = 0; i < d; i++) {
      fetchCached(type, next, i * PAGE + j, KEY_VECTORS * WIDTH);
      vec k[KEY_VECTORS];
      _Pragma("clang loop unroll(full)") for (int n = 0; n < KEY_VECTORS; n++)
          k[n] = loadCached(type, keys, i * PAGE + j + n * WIDTH);
      _Pragma("clang loop unroll(full)") for (int m = 0; m < rows; m++) {
        vec x = splat(q[m * dp + i]);
        _Pragma("clang loop unroll(full)") for (int n = 0; n < KEY_VECTORS; n++) acc[m][n] += x * k[n];
      }
    }
    for (int m = 0; m < rows; m++)
      for (int n = 0; n < KEY_VECTORS; n++) store(s + m * DECODE_KEYS + j + n * WIDTH, acc[m][n]);
  }
}

// o[m][d] += Σ_j w[m][j] v[j][d] over keys [from, to) of one page, N vectors of d from column c.
#define WEIGH_VALUES(N)                                                                           \
  for (; c + N * WIDTH <= dp; c += N * WIDTH) {                                                   \
    vec acc[ROWS][N];                                                                             \
    _Pragma("clang loop unroll(full)") for (int m = 0; m < rows; m++)                             \
        _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                            \
            acc[m][n] = load(o + m * dp + c + n * WIDTH);                                         \
    for (int64_t j = from; j < to; j++) {                                                         \
      fetchCached(type, next, j * dp + c, N * WIDTH);                                             \
      vec v[N];                                                                                   \
      _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                              \
          v[n] = loadCached(type, values, j * dp + c + n * WIDTH);                                \
      _Pragma("clang loop unroll(full)") for (int m = 0; m < rows; m++) {                         \
        vec x = splat(w[m * DECODE_KEYS + j]);                                                    \
        _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++) acc[m][n] += x * v[n];     \
      }                                                                                           \
    }                                                                                             \
    for (int m = 0; m < rows; m++)                                                                \
      for (int n = 0; n < N; n++) store(o + m * dp + c + n * WIDTH, acc[m][n]);                   \
  }
INLINE void pageValues(
    enum nabla_cache_type type, const int rows, float *o, const float *w, int64_t dp, const void *values, int64_t from,
    int64_t to, const char *next) {
  int64_t c = 0;
  WEIGH_VALUES(KEY_VECTORS)
  WEIGH_VALUES(1)
}

// The two loops for each storage type and number of rows, so that both are constants inside them.
#define FOR_ROWS(TYPE, CALL)                                \
  switch (rows) {                                           \
    case 1: { enum { R = 1 }; CALL(TYPE, R); break; }       \
    case 2: { enum { R = 2 }; CALL(TYPE, R); break; }       \
    case 3: { enum { R = 3 }; CALL(TYPE, R); break; }       \
    default: { enum { R = 4 }; CALL(TYPE, R); }             \
  }
#define FOR_TYPE_AND_ROWS(CALL)                                                 \
  switch (type) {                                                               \
    case NABLA_CACHE_FLOAT32: FOR_ROWS(NABLA_CACHE_FLOAT32, CALL) break;        \
    case NABLA_CACHE_BFLOAT16: FOR_ROWS(NABLA_CACHE_BFLOAT16, CALL) break;      \
    case NABLA_CACHE_INT8: FOR_ROWS(NABLA_CACHE_INT8, CALL) break;              \
  }
static void scoresOf(
    enum nabla_cache_type type, int64_t rows, float *s, const float *q, int64_t dp, int64_t d, const void *keys,
    const char *next) {
#define CALL(TYPE, R) pageScores(TYPE, R, s, q, dp, d, keys, next)
  FOR_TYPE_AND_ROWS(CALL)
#undef CALL
}
static void valuesOf(
    enum nabla_cache_type type, int64_t rows, float *o, const float *w, int64_t dp, const void *values, int64_t from,
    int64_t to, const char *next) {
#define CALL(TYPE, R) pageValues(TYPE, R, o, w, dp, values, from, to, next)
  FOR_TYPE_AND_ROWS(CALL)
#undef CALL
}

// The largest lane, and the sum of all lanes, by halving: one lane after the other would be a long dependency chain.
INLINE float highestLane(vec x) {
  _Pragma("clang loop unroll(full)") for (int w = WIDTH / 2; w > 0; w /= 2)
      _Pragma("clang loop unroll(full)") for (int n = 0; n < w; n++) x[n] = x[n] > x[n + w] ? x[n] : x[n + w];
  return x[0];
}
INLINE float sumOfLanes(vec x) {
  _Pragma("clang loop unroll(full)") for (int w = WIDTH / 2; w > 0; w /= 2)
      _Pragma("clang loop unroll(full)") for (int n = 0; n < w; n++) x[n] += x[n + w];
  return x[0];
}

// One row's softmax over scores [from, to), in place. state: maximum, sum.
static void decodeSoftmax(float *s, int64_t from, int64_t to, float *state) {
  // Outside [from, to) the scores are made -∞, so that whole vectors can be taken.
  const int64_t begin = from & ~(int64_t)(WIDTH - 1);
  for (int64_t j = begin; j < from; j++) s[j] = -INFINITY;
  for (int64_t j = to; j & (WIDTH - 1); j++) s[j] = -INFINITY;
  vec most = splat(-INFINITY), total = {0};
  for (int64_t j = begin; j < to; j += WIDTH) most = choose(load(s + j) > most, load(s + j), most);
  const float highest = highestLane(most);
  for (int64_t j = begin; j < to; j += WIDTH) {
    vec w = exp2Vector(load(s + j) - splat(highest == -INFINITY ? 0 : highest));
    store(s + j, w);
    total += w;
  }
  state[0] = highest;
  state[1] = sumOfLanes(total);
}

// A task's scratch memory: its queries, outputs and scores; and a page's keys or values as float32.
static size_t decodeFloats(const struct nabla_decode *p) {
  const int64_t group = p->queryHeadCount / p->keyValueHeadCount, dp = paddedSize(p->headSize);
  return (size_t)(DECODE_ROWS * group * (2 * dp + DECODE_KEYS) + PAGE * dp);
}

// Rows [i, i + n) of a task that see keys [from, to) of one page of its chunk. At its end a task has n = 0.
struct visit {
  int64_t page, i, n, from, to;
  const char *head;
};

// The position of the visit's page in row i, and which keys the row sees there; n = 0 if none.
INLINE struct visit visitOf(const struct decode_task *t, int64_t page, int64_t i) {
  const struct nabla_decode *p = t->p;
  const int64_t start = t->chunk * DECODE_KEYS + page * PAGE, length = p->lengths[t->row[i]];
  const int64_t first = p->window > 0 && length > p->window ? length - p->window : 0;
  struct visit v = {.page = page, .i = i, .from = first > start ? first - start : 0};
  v.to = length - start < PAGE ? length - start : PAGE;
  if (v.from >= v.to) return v;
  const int64_t offset = p->layerOffset + t->g * cacheHeadLayout(p->type, p->headSize).bytes;
  v.head = (const char *)p->pages[p->firstPage[t->row[i]] + start / PAGE] + offset;
  v.n = 1;
  return v;
}

// The first visit of a page from row i on, with all following rows that see the same page.
static struct visit nextVisit(const struct decode_task *t, int64_t page, int64_t i) {
  for (; page < DECODE_KEYS / PAGE; page++, i = 0)
    for (; i < t->rows; i++) {
      struct visit v = visitOf(t, page, i);
      if (v.n == 0) continue;
      for (; i + v.n < t->rows; v.n++) {
        const struct visit other = visitOf(t, page, i + v.n);
        if (other.head != v.head || other.from != v.from || other.to != v.to) break;
      }
      return v;
    }
  return (struct visit){0};
}

// `count` numbers of a page for `queries` of them: as they are, or, for many, as float32 in `memory`.
INLINE const void *numbersFor(
    int64_t queries, enum nabla_cache_type *type, const void *x, int64_t count, float *memory) {
  if (*type == NABLA_CACHE_FLOAT32 || queries <= 2 * ROWS) return x;
  for (int64_t i = 0; i < count; i += WIDTH) store(memory + i, loadCached(*type, x, i));
  *type = NABLA_CACHE_FLOAT32;
  return memory;
}

static void decodeChunk(const struct decode_task *t, float *workspace) {
  const struct nabla_decode *p = t->p;
  const int64_t d = p->headSize, dp = paddedSize(d), group = p->queryHeadCount / p->keyValueHeadCount;
  const int64_t queries = t->rows * group;
  float *q = workspace, *o = q + queries * dp, *s = o + queries * dp, *memory = s + queries * DECODE_KEYS;
  const struct cache_head_layout at = cacheHeadLayout(p->type, d);

  for (int64_t i = 0; i < t->rows; i++)
    for (int64_t m = 0; m < group; m++) {
      const int64_t start = t->row[i] * p->queryStride + (t->g * group + m) * d;
      float *to = q + (i * group + m) * dp;
      loadRow(to, dp, p->bfloat16, d, (const char *)p->q + start * (p->bfloat16 ? 2 : 4));
      for (int64_t c = 0; c < dp; c += WIDTH) store(to + c, load(to + c) * splat(p->scale * log2e));
    }
  const struct visit first = nextVisit(t, 0, 0);
  for (struct visit v = first, next; v.n > 0; v = next) {
    next = nextVisit(t, v.page, v.i + v.n);
    enum nabla_cache_type type = p->type;
    const void *keys = numbersFor(v.n * group, &type, v.head + at.keys, d * PAGE, memory);
    const char *ahead = type != p->type ? NULL : next.n > 0 ? next.head + at.keys : first.head + at.values;
    float *scores = s + v.i * group * DECODE_KEYS + v.page * PAGE;
    for (int64_t m = 0; m < v.n * group; m += ROWS, ahead = NULL)
      scoresOf(type, v.n * group - m, scores + m * DECODE_KEYS, q + (v.i * group + m) * dp, dp, d, keys, ahead);
    if (p->type != NABLA_CACHE_INT8) continue;
    const float *scale = (const float *)(const void *)v.head;
    for (int64_t m = 0; m < v.n * group; m++)
      for (int64_t j = 0; j < PAGE; j += WIDTH) {
        float *to = scores + m * DECODE_KEYS + j;
        store(to, load(to) * load(scale + j));
      }
  }
  for (int64_t i = 0; i < t->rows; i++) {
    const int64_t length = p->lengths[t->row[i]] - t->chunk * DECODE_KEYS;
    const int64_t from = p->window > 0 && length > p->window ? length - p->window : 0;
    for (int64_t m = 0; m < group; m++)
      decodeSoftmax(s + (i * group + m) * DECODE_KEYS, from, length < DECODE_KEYS ? length : DECODE_KEYS,
                    t->partial[i] + m * (2 + dp));
  }
  memset(o, 0, (size_t)(queries * dp) * sizeof(float));
  for (struct visit v = first, next; v.n > 0; v = next) {
    next = nextVisit(t, v.page, v.i + v.n);
    enum nabla_cache_type type = p->type;
    const void *values = numbersFor(v.n * group, &type, v.head + at.values, dp * PAGE, memory);
    const char *ahead = type == p->type && next.n > 0 ? next.head + at.values : NULL;
    float *weights = s + v.i * group * DECODE_KEYS + v.page * PAGE;
    if (p->type == NABLA_CACHE_INT8) {
      const float *scale = (const float *)(const void *)v.head + PAGE;
      for (int64_t m = 0; m < v.n * group; m++)
        for (int64_t j = v.from; j < v.to; j++) weights[m * DECODE_KEYS + j] *= scale[j];
    }
    for (int64_t m = 0; m < v.n * group; m += ROWS, ahead = NULL)
      valuesOf(type, v.n * group - m, o + (v.i * group + m) * dp, weights + m * DECODE_KEYS, dp, values, v.from, v.to,
               ahead);
  }
  for (int64_t i = 0; i < t->rows; i++)
    for (int64_t m = 0; m < group; m++)
      memcpy(t->partial[i] + m * (2 + dp) + 2, o + (i * group + m) * dp, (size_t)dp * sizeof(float));
}

// The sum over the chunks of one row and key/value head, in order. partial: [group][2 + dp] of each, `stride`
// apart.
static void decodeMerge(
    const struct nabla_decode *p, int64_t row, int64_t g, int64_t chunks, const float *partial, int64_t stride) {
  const int64_t d = p->headSize, dp = paddedSize(d), group = p->queryHeadCount / p->keyValueHeadCount;
  for (int64_t m = 0; m < group; m++, partial += 2 + dp) {
    char *out = (char *)p->out + (row * p->outStride + (g * group + m) * d) * (p->bfloat16 ? 2 : 4);
    if (chunks == 1) {
      storeRow(p->bfloat16, d, out, partial + 2, partial[1] == 0 ? 0 : 1 / partial[1]);
      continue;
    }
    float highest = -INFINITY, sum = 0, o[NABLA_ATTENTION_MAX_HEAD_SIZE] = {0};
    for (int64_t c = 0; c < chunks; c++)
      highest = partial[c * stride] > highest ? partial[c * stride] : highest;
    for (int64_t t = 0; t < chunks; t++) {
      const float *state = partial + t * stride;
      const float factor = highest == -INFINITY ? 0 : exp2f(state[0] - highest);
      sum += factor * state[1];
      for (int64_t c = 0; c < dp; c += WIDTH) store(o + c, load(o + c) + splat(factor) * load(state + 2 + c));
    }
    storeRow(p->bfloat16, d, out, o, sum == 0 ? 0 : 1 / sum);
  }
}
