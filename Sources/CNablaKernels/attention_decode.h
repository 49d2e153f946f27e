// Decoding: few queries against a long cache, where the time goes into reading the cache. Every key and value is read
// once for all query heads of its group. The cache is split into runs of DECODE_KEYS keys, so that every thread has a
// share; a task takes all heads of its run, which lie side by side in memory.

static size_t decodeFloats(const problem_t *p) {
  const size_t rows = (size_t)(p->queryHeadCount / p->keyValueHeadCount * p->queryLength);
  return rows * (size_t)paddedHead(p) + 2 * DECODE_KEYS * (size_t)paddedHead(p) + DECODE_KEYS;
}

INLINE vec4 quarterSum(vec x) {
  vec4 part[WIDTH / 4];
  memcpy(part, &x, sizeof x);
  vec4 s = part[0];
  for (int n = 1; n < WIDTH / 4; n++) s += part[n];
  return s;
}

// s[j] = q · k[j] for four rows k.
INLINE void fourScores(float *s, const float *q, const float *k, int64_t dp) {
  vec a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0};
  for (int64_t d = 0; d < dp; d += WIDTH) {
    vec x = load(q + d);
    a0 += x * load(k + d), a1 += x * load(k + dp + d);
    a2 += x * load(k + 2 * dp + d), a3 += x * load(k + 3 * dp + d);
  }
  vec4 a = quarterSum(a0), b = quarterSum(a1), c = quarterSum(a2), e = quarterSum(a3);
  vec4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
  vec4 ce = __builtin_shufflevector(c, e, 0, 4, 1, 5) + __builtin_shufflevector(c, e, 2, 6, 3, 7);
  *(vec4_unaligned *)s = __builtin_shufflevector(ab, ce, 0, 1, 4, 5) + __builtin_shufflevector(ab, ce, 2, 3, 6, 7);
}

// o[d] = Σ_j w[j] v[j][d], N vectors of d at a time.
#define WEIGH_VALUES(N)                                                                              \
  for (; d + N * WIDTH <= dp; d += N * WIDTH) {                                                      \
    vec acc[2][N] = {0};  /* two sums, for one alone would wait on itself */                         \
    int64_t j = from;                                                                                \
    for (; j + 2 <= to; j += 2) {                                                                    \
      vec even = splat(w[j]), odd = splat(w[j + 1]);                                                 \
      _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++) {                               \
        acc[0][n] += even * load(v + j * dp + d + n * WIDTH);                                        \
        acc[1][n] += odd * load(v + (j + 1) * dp + d + n * WIDTH);                                   \
      }                                                                                              \
    }                                                                                                \
    if (j < to)                                                                                      \
      for (int n = 0; n < N; n++) acc[0][n] += splat(w[j]) * load(v + j * dp + d + n * WIDTH);       \
    _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                                   \
        store(o + d + n * WIDTH, acc[0][n] + acc[1][n]);                                             \
  }
static void weighValues(float *o, const float *w, const float *v, int64_t dp, int64_t from, int64_t to) {
  int64_t d = 0;
  WEIGH_VALUES(4)
  WEIGH_VALUES(1)
}

static float *partialOf(const struct decode_arguments *a, int32_t b, int32_t g, int32_t split) {
  const problem_t *p = a->f.p;
  const int64_t rows = (int64_t)(p->queryHeadCount / p->keyValueHeadCount) * p->queryLength;
  const int64_t index = ((int64_t)b * p->keyValueHeadCount + g) * a->splits + split;
  return a->partial + index * rows * (2 + paddedHead(p));
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

static void decodeSplit(const struct decode_arguments *a, int32_t b, int32_t split, float *workspace) {
  const problem_t *p = a->f.p;
  const int64_t dp = paddedHead(p), tq = p->queryLength, bytes = (int64_t)elementSize(p);
  const int32_t kvHeads = p->keyValueHeadCount, group = p->queryHeadCount / kvHeads, keys = keyCount(p, b);
  const int64_t rows = group * tq;
  float *q = workspace, *kTile = q + rows * dp, *vTile = kTile + DECODE_KEYS * dp, *s = vTile + DECODE_KEYS * dp;
  int64_t k0 = (int64_t)split * DECODE_KEYS, end = k0 + DECODE_KEYS;
  if (k0 < firstKey(p, 0)) k0 = firstKey(p, 0);
  if (end > endKey(p, tq - 1, keys)) end = endKey(p, tq - 1, keys);
  const int64_t count = end > k0 ? end - k0 : 0;
  const int64_t kOffset = k0 * a->f.k.timeStride * bytes, vOffset = k0 * a->f.v.timeStride * bytes;

  // In the order of memory, which the hardware's own look-ahead follows: nearly twice as fast as head by head.
  for (int64_t j = 0; j < count; j++)
    for (int32_t g = 0; g < kvHeads; g++)
      prefetchRows(p, (const char *)headOf(p, a->f.k, b, g) + kOffset, a->f.k.timeStride, j, j + 1);
  for (int64_t j = 0; j < count; j++)
    for (int32_t g = 0; g < kvHeads; g++)
      prefetchRows(p, (const char *)headOf(p, a->f.v, b, g) + vOffset, a->f.v.timeStride, j, j + 1);

  for (int32_t g = 0; g < kvHeads; g++) {
    float *partial = partialOf(a, b, g, split);
    memset(partial, 0, (size_t)(rows * (2 + dp)) * sizeof(float));
    for (int64_t r = 0; r < rows; r++) partial[r * (2 + dp)] = -INFINITY;
    if (count == 0) continue;
    for (int64_t m = 0; m < group; m++)
      loadTile(q + m * tq * dp, dp, tq, p, headOf(p, a->f.q, b, g * group + m), a->f.q.timeStride, tq);
    for (int64_t i = 0; i < rows * dp; i++) q[i] *= p->scale * log2e;
    const char *k = headOf(p, a->f.k, b, g), *v = headOf(p, a->f.v, b, g);
    loadTile(kTile, dp, (count + 3) & ~3, p, k + kOffset, a->f.k.timeStride, count);
    loadTile(vTile, dp, count, p, v + vOffset, a->f.v.timeStride, count);

    for (int64_t r = 0; r < rows; r++) {
      const int64_t m = r / tq, i = r % tq;
      int64_t from = firstKey(p, i) - k0, to = endKey(p, i, keys) - k0;
      from = from < 0 ? 0 : from;
      to = to > count ? count : to;
      if (from >= to) continue;
      for (int64_t j = from & ~3; j < to; j += 4) fourScores(s + j, q + r * dp, kTile + j * dp, dp);
      if (p->bias) {
        const float *bias = p->bias + b * p->biasBatchStride + (g * group + m) * p->biasHeadStride +
                            i * p->biasQueryStride + k0;
        for (int64_t j = from; j < to; j++) s[j] += bias[j] * log2e;
      }
      float *state = partial + r * (2 + dp);
      decodeSoftmax(s, from, to, state);
      weighValues(state + 2, s, vTile, dp, from, to);
    }
  }
}

static void decodeMerge(const struct decode_arguments *a, int32_t b, int32_t g) {
  const problem_t *p = a->f.p;
  const int64_t dp = paddedHead(p), tq = p->queryLength, bytes = (int64_t)elementSize(p);
  const int64_t group = p->queryHeadCount / p->keyValueHeadCount;
  for (int64_t r = 0; r < group * tq; r++) {
    const int64_t h = g * group + r / tq, i = r % tq;
    float highest = -INFINITY, sum = 0, o[NABLA_ATTENTION_MAX_HEAD_SIZE] = {0};
    for (int32_t t = 0; t < a->splits; t++) {
      const float *state = partialOf(a, b, g, t) + r * (2 + dp);
      highest = state[0] > highest ? state[0] : highest;
    }
    for (int32_t t = 0; t < a->splits; t++) {
      const float *state = partialOf(a, b, g, t) + r * (2 + dp);
      const float factor = highest == -INFINITY ? 0 : exp2f(state[0] - highest);
      sum += factor * state[1];
      for (int64_t d = 0; d < dp; d += WIDTH) store(o + d, load(o + d) + splat(factor) * load(state + 2 + d));
    }
    storeRow(p, (char *)headOfOutput(p, a->f.out, b, h) + i * a->f.out.timeStride * bytes, o, sum == 0 ? 0 : 1 / sum);
    if (a->f.lse)
      a->f.lse[((int64_t)b * p->queryHeadCount + h) * tq + i] =
          sum == 0 ? -INFINITY : (highest + log2f(sum)) * ln2;
  }
}
