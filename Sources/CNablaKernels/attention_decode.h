// Decoding: one query a row against a cache of pages, where the time goes into reading the cache. A task is one
// key-value head and at most DECODE_PAGES pages of one row: every key and value is read once for all query heads of the
// group. What a task computes depends on its row alone, so rows get the same bits whoever shares the batch.
//
// In a page the keys of a head lie transposed, [D][64]: the scores of a whole vector of keys grow side by side, and no
// sum across a vector is needed.

enum { PAGE = NABLA_CACHE_PAGE, ROWS = 4, KEY_VECTORS = WIDTH == 16 ? 4 : 2 };
typedef int8_t bvec_unaligned __attribute__((vector_size(WIDTH), aligned(1)));

// WIDTH numbers of the cache, from element i.
INLINE vec loadCached(enum nabla_cache_type type, const void *x, int64_t i) {
  if (type == NABLA_CACHE_BFLOAT16) return loadBFloat16((const uint16_t *)x + i);
  if (type == NABLA_CACHE_INT8)
    return __builtin_convertvector(*(const bvec_unaligned *)((const int8_t *)x + i), vec);
  return load((const float *)x + i);
}

// s[m][j] = q[m] · k[j] for the keys of one page. q: [rows][dp]; s: rows of DECODE_KEYS.
INLINE void pageScores(
    enum nabla_cache_type type, const int rows, float *s, const float *q, int64_t dp, int64_t d, const void *keys) {
  for (int64_t j = 0; j < PAGE; j += KEY_VECTORS * WIDTH) {
    vec acc[ROWS][KEY_VECTORS] = {0};
    for (int64_t i = 0; i < d; i++) {
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

// o[m][d] = Σ_j w[m][j] v[j][d] over keys [from, to) of the task's pages, N vectors of d from column c.
#define WEIGH_VALUES(N)                                                                                          \
  for (; c + N * WIDTH <= dp; c += N * WIDTH) {                                                                  \
    vec acc[ROWS][N] = {0};                                                                                      \
    for (int64_t j = from; j < to; j++) {                                                                        \
      const char *values = (const char *)pages[j / PAGE] + offset;                                               \
      vec v[N];                                                                                                  \
      _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                                             \
          v[n] = loadCached(type, values, j % PAGE * dp + c + n * WIDTH);                                        \
      _Pragma("clang loop unroll(full)") for (int m = 0; m < rows; m++) {                                        \
        vec x = splat(w[m * DECODE_KEYS + j]);                                                                   \
        _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++) acc[m][n] += x * v[n];                    \
      }                                                                                                          \
    }                                                                                                            \
    for (int m = 0; m < rows; m++)                                                                               \
      for (int n = 0; n < N; n++) store(o + m * oStride + c + n * WIDTH, acc[m][n]);                             \
  }
INLINE void weighValues(
    enum nabla_cache_type type, const int rows, float *o, int64_t oStride, const float *w, int64_t dp,
    const void *const *pages, int64_t offset, int64_t from, int64_t to) {
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
    enum nabla_cache_type type, int rows, float *s, const float *q, int64_t dp, int64_t d, const void *keys) {
#define CALL(TYPE, R) pageScores(TYPE, R, s, q, dp, d, keys)
  FOR_TYPE_AND_ROWS(CALL)
#undef CALL
}
static void valuesOf(
    enum nabla_cache_type type, int rows, float *o, int64_t oStride, const float *w, int64_t dp,
    const void *const *pages, int64_t offset, int64_t from, int64_t to) {
#define CALL(TYPE, R) weighValues(TYPE, R, o, oStride, w, dp, pages, offset, from, to)
  FOR_TYPE_AND_ROWS(CALL)
#undef CALL
}

// One row's softmax over scores [from, to), in place. state: maximum, sum.
static void decodeSoftmax(float *s, int64_t from, int64_t to, float *state) {
  // Outside [from, to) the scores are made -∞, so that whole vectors can be taken.
  const int64_t begin = from & ~(int64_t)(WIDTH - 1);
  for (int64_t j = begin; j < from; j++) s[j] = -INFINITY;
  for (int64_t j = to; j & (WIDTH - 1); j++) s[j] = -INFINITY;
  vec most = splat(-INFINITY);
  for (int64_t j = begin; j < to; j += WIDTH) most = choose(load(s + j) > most, load(s + j), most);
  float highest = -INFINITY, sum = 0;
  for (int n = 0; n < WIDTH; n++) highest = most[n] > highest ? most[n] : highest;
  vec total = {0};
  for (int64_t j = begin; j < to; j += WIDTH) {
    vec w = exp2Vector(load(s + j) - splat(highest == -INFINITY ? 0 : highest));
    store(s + j, w);
    total += w;
  }
  for (int n = 0; n < WIDTH; n++) sum += total[n];
  state[0] = highest;
  state[1] = sum;
}

static size_t decodeFloats(const struct nabla_decode *p) {
  const int64_t group = p->queryHeadCount / p->keyValueHeadCount;
  return (size_t)(group * (paddedSize(p->headSize) + DECODE_KEYS));
}

static void storeOutput(const struct nabla_decode *p, int64_t row, int64_t h, const float *o, float factor) {
  const int64_t at = row * p->outStride + h * p->headSize;
  for (int64_t c = 0; c < p->headSize; c++) {
    if (p->bfloat16)
      ((uint16_t *)p->out)[at + c] = toBFloat16(o[c] * factor);
    else
      ((float *)p->out)[at + c] = o[c] * factor;
  }
}

// Keys [chunk · DECODE_KEYS, …) of one row and one key-value head. partial: [group][2 + dp]: maximum (log2 units), sum,
// unnormalised output.
static void decodeChunk(
    const struct nabla_decode *p, int64_t row, int64_t g, int64_t chunk, float *partial, float *workspace) {
  const int64_t d = p->headSize, dp = paddedSize(d), group = p->queryHeadCount / p->keyValueHeadCount;
  const enum nabla_cache_type type = p->type;
  float *q = workspace, *s = q + group * dp;
  const int64_t length = p->lengths[row], k0 = chunk * DECODE_KEYS;
  const int64_t first = p->window > 0 && length > p->window ? length - p->window : 0;
  const int64_t from = first > k0 ? first - k0 : 0;
  const int64_t to = length - k0 < DECODE_KEYS ? length - k0 : DECODE_KEYS;
  const void *const *pages = p->pages + p->firstPage[row] + k0 / PAGE;
  const struct cache_head_layout at = cacheHeadLayout(type, d);
  const int64_t offset = p->layerOffset + g * at.bytes;

  for (int64_t m = 0; m < group; m++) {
    const int64_t start = row * p->queryStride + (g * group + m) * d;
    for (int64_t c = 0; c < d; c++) {
      float x = p->bfloat16 ? fromBFloat16(((const uint16_t *)p->q)[start + c]) : ((const float *)p->q)[start + c];
      q[m * dp + c] = x * p->scale * log2e;
    }
  }
  for (int64_t j = from / PAGE * PAGE; j < to; j += PAGE) {
    const char *head = (const char *)pages[j / PAGE] + offset;
    for (int64_t m = 0; m < group; m += ROWS)
      scoresOf(type, (int)(group - m < ROWS ? group - m : ROWS), s + m * DECODE_KEYS + j, q + m * dp, dp, d,
               head + at.keys);
    if (type != NABLA_CACHE_INT8) continue;
    const float *scale = (const float *)(const void *)head;
    for (int64_t m = 0; m < group; m++)
      for (int64_t i = 0; i < PAGE; i += WIDTH) {
        float *to = s + m * DECODE_KEYS + j + i;
        store(to, load(to) * load(scale + i));
      }
  }
  for (int64_t m = 0; m < group; m++) {
    decodeSoftmax(s + m * DECODE_KEYS, from, to, partial + m * (2 + dp));
    if (type != NABLA_CACHE_INT8) continue;
    for (int64_t j = from; j < to; j++) {
      const float *scale = (const float *)(const void *)((const char *)pages[j / PAGE] + offset);
      s[m * DECODE_KEYS + j] *= scale[PAGE + j % PAGE];
    }
  }
  for (int64_t m = 0; m < group; m += ROWS)
    valuesOf(type, (int)(group - m < ROWS ? group - m : ROWS), partial + m * (2 + dp) + 2, 2 + dp, s + m * DECODE_KEYS,
             dp, pages, offset + at.values, from, to);
}

// The sum over the chunks of one row and key-value head, in their order. partial: [chunks][group][2 + dp].
static void decodeMerge(const struct nabla_decode *p, int64_t row, int64_t g, int64_t chunks, const float *partial) {
  const int64_t dp = paddedSize(p->headSize), group = p->queryHeadCount / p->keyValueHeadCount;
  for (int64_t m = 0; m < group; m++) {
    if (chunks == 1) {
      const float *state = partial + m * (2 + dp);
      storeOutput(p, row, g * group + m, state + 2, state[1] == 0 ? 0 : 1 / state[1]);
      continue;
    }
    float highest = -INFINITY, sum = 0, o[NABLA_ATTENTION_MAX_HEAD_SIZE] = {0};
    for (int64_t t = 0; t < chunks; t++) {
      const float *state = partial + (t * group + m) * (2 + dp);
      highest = state[0] > highest ? state[0] : highest;
    }
    for (int64_t t = 0; t < chunks; t++) {
      const float *state = partial + (t * group + m) * (2 + dp);
      const float factor = highest == -INFINITY ? 0 : exp2f(state[0] - highest);
      sum += factor * state[1];
      for (int64_t c = 0; c < dp; c += WIDTH) store(o + c, load(o + c) + splat(factor) * load(state + 2 + c));
    }
    storeOutput(p, row, g * group + m, o, sum == 0 ? 0 : 1 / sum);
  }
}
