// Decoding: few queries against a long cache, where the time goes into reading the cache. Every key and value is read
// once for all query heads of its group, in its own dtype; long caches are split so that every thread has a share.

enum { DECODE_KEYS = 64 };

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

// o[d] = alpha · o[d] + Σ_j w[j] v[j][d], N vectors of d at a time.
#define ADD_VALUES(N)                                                                                   \
  for (; d + N * WIDTH <= dp; d += N * WIDTH) {                                                         \
    vec acc[N];                                                                                         \
    _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                                      \
        acc[n] = load(o + d + n * WIDTH) * splat(alpha);                                                \
    for (int64_t j = from; j < to; j++) {                                                               \
      vec weight = splat(w[j]);                                                                         \
      _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++)                                    \
          acc[n] += weight * load(v + j * dp + d + n * WIDTH);                                          \
    }                                                                                                   \
    _Pragma("clang loop unroll(full)") for (int n = 0; n < N; n++) store(o + d + n * WIDTH, acc[n]);    \
  }
static void addValues(float *o, float alpha, const float *w, const float *v, int64_t dp, int64_t from, int64_t to) {
  int64_t d = 0;
  ADD_VALUES(4)
  ADD_VALUES(1)
}

static float *partialOf(const struct decode_arguments *a, int32_t b, int32_t g, int32_t split) {
  const problem_t *p = a->f.p;
  const int64_t rows = (int64_t)(p->queryHeadCount / p->keyValueHeadCount) * p->queryLength;
  const int64_t index = ((int64_t)b * p->keyValueHeadCount + g) * a->splits + split;
  return a->partial + index * rows * (2 + paddedHead(p));
}

static void decodeSplit(const struct decode_arguments *a, int32_t b, int32_t g, int32_t split, float *workspace) {
  const problem_t *p = a->f.p;
  const int64_t dp = paddedHead(p), tq = p->queryLength, bytes = (int64_t)elementSize(p);
  const int32_t group = p->queryHeadCount / p->keyValueHeadCount, keys = keyCount(p, b);
  const int64_t rows = group * tq;
  const char *kHead = headOf(p, a->f.k, b, g), *vHead = headOf(p, a->f.v, b, g);
  float *q = workspace, *kTile = q + rows * dp, *vTile = kTile + DECODE_KEYS * dp, *s = vTile + DECODE_KEYS * dp;
  float *partial = partialOf(a, b, g, split);

  for (int64_t m = 0; m < group; m++)
    loadTile(q + m * tq * dp, dp, tq, p, headOf(p, a->f.q, b, g * group + m), a->f.q.timeStride, tq);
  for (int64_t i = 0; i < rows * dp; i++) q[i] *= p->scale * log2e;
  memset(partial, 0, (size_t)(rows * (2 + dp)) * sizeof(float));
  for (int64_t r = 0; r < rows; r++) partial[r * (2 + dp)] = -INFINITY;

  int64_t begin = (int64_t)split * DECODE_SPLIT, end = begin + DECODE_SPLIT;
  if (begin < firstKey(p, 0)) begin = firstKey(p, 0);
  if (end > endKey(p, tq - 1, keys)) end = endKey(p, tq - 1, keys);
  for (int64_t k0 = begin; k0 < end; k0 += DECODE_KEYS) {
    const int64_t count = end - k0 < DECODE_KEYS ? end - k0 : DECODE_KEYS;
    loadTile(kTile, dp, (count + 3) & ~3, p, kHead + k0 * a->f.k.timeStride * bytes, a->f.k.timeStride, count);
    loadTile(vTile, dp, count, p, vHead + k0 * a->f.v.timeStride * bytes, a->f.v.timeStride, count);
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
      float *state = partial + r * (2 + dp), highest = state[0];
      for (int64_t j = from; j < to; j++) highest = s[j] > highest ? s[j] : highest;
      const float zero = highest == -INFINITY ? 0 : highest;
      const float alpha = exp2f(state[0] - zero);
      // Outside [from, to) the scores are made -∞, so that whole vectors can be taken.
      for (int64_t j = from & ~(WIDTH - 1); j < from; j++) s[j] = -INFINITY;
      for (int64_t j = to; j & (WIDTH - 1); j++) s[j] = -INFINITY;
      vec total = {0};
      for (int64_t j = from & ~(WIDTH - 1); j < to; j += WIDTH) {
        vec w = exp2Vector(load(s + j) - splat(zero));
        store(s + j, w);
        total += w;
      }
      float sum = 0;
      for (int n = 0; n < WIDTH; n++) sum += total[n];
      state[0] = highest;
      state[1] = state[1] * alpha + sum;
      addValues(state + 2, alpha, s, vTile, dp, from, to);
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
