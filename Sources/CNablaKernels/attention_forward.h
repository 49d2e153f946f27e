// Forward tiles. Scores are stored transposed, keys × queries, so that queries are the lanes of a vector: the softmax
// needs no sum across lanes, keys and values are used without transposition, and only the queries are transposed, once
// per task.

static size_t forwardFloats(const problem_t *p, int32_t blockRows) {
  const size_t dp = (size_t)paddedHead(p), rows = (size_t)blockRows;
  return 2 * rows * dp + 2 * FORWARD_KEYS * dp + FORWARD_KEYS * STRIP * 2 + 3 * rows;
}

// biasTile[key][query] of one strip, in log2 units.
static void loadBiasTransposed(
    float *tile, const problem_t *p, int64_t b, int64_t h, int64_t i0, int64_t queries, int64_t k0, int64_t keys) {
  for (int64_t i = 0; i < STRIP; i++) {
    const int64_t row = i < queries ? i0 + i : i0;
    const float *from = p->bias + b * p->biasBatchStride + h * p->biasHeadStride + row * p->biasQueryStride + k0;
    for (int64_t j = 0; j < keys; j++) tile[j * STRIP + i] = from[j] * log2e;
  }
}

// The keys that each query of a strip sees: [first, end) less [gapFirst, gapEnd).
struct strip_mask {
  int32_t first[STRIP], end[STRIP], gapFirst[STRIP], gapEnd[STRIP];
};

// One strip of queries against keys [begin, end) of a tile: scores → weights in place, running maximum and sum updated.
// alpha[query] is what the sums so far must be multiplied by.
static void softmaxStrip(
    float *s, const float *bias, int64_t begin, int64_t end, bool masked, const struct strip_mask *mask, int64_t k0,
    float *maximum, float *sum, float *alpha) {
  vec m[NR], old[NR], l[NR];
  ivec lo[NR], hi[NR], gapLo[NR], gapHi[NR];
  for (int n = 0; n < NR; n++) {
    old[n] = m[n] = load(maximum + n * WIDTH);
    memcpy(&lo[n], mask->first + n * WIDTH, sizeof(ivec));
    memcpy(&hi[n], mask->end + n * WIDTH, sizeof(ivec));
    memcpy(&gapLo[n], mask->gapFirst + n * WIDTH, sizeof(ivec));
    memcpy(&gapHi[n], mask->gapEnd + n * WIDTH, sizeof(ivec));
  }
  for (int64_t j = begin; j < end; j++) {
    for (int n = 0; n < NR; n++) {
      float *at = s + j * STRIP + n * WIDTH;
      vec x = load(at);
      if (bias) x += load(bias + j * STRIP + n * WIDTH);
      if (masked) {
        ivec key = isplat((int32_t)(k0 + j));
        ivec seen = (key >= lo[n]) & (key < hi[n]) & ((key < gapLo[n]) | (key >= gapHi[n]));
        x = choose(seen, x, splat(-INFINITY));
      }
      if (bias || masked) store(at, x);
      m[n] = choose(x > m[n], x, m[n]);
    }
  }
  for (int n = 0; n < NR; n++) {
    store(maximum + n * WIDTH, m[n]);
    // A row that has seen nothing yet keeps -∞; any finite stand-in makes its weights 2^-∞ = 0 instead of NaN.
    m[n] = choose(m[n] == splat(-INFINITY), splat(0), m[n]);
    vec scale = exp2Vector(old[n] - m[n]);
    store(alpha + n * WIDTH, scale);
    l[n] = load(sum + n * WIDTH) * scale;
  }
  for (int64_t j = begin; j < end; j++) {
    for (int n = 0; n < NR; n++) {
      float *at = s + j * STRIP + n * WIDTH;
      vec w = exp2Vector(load(at) - m[n]);
      store(at, w);
      l[n] += w;
    }
  }
  for (int n = 0; n < NR; n++) store(sum + n * WIDTH, l[n]);
}

static void forwardBlock(const struct forward_arguments *a, int32_t b, int32_t h, int32_t q0, float *workspace) {
  const problem_t *p = a->p;
  const int64_t dp = paddedHead(p), tq = p->queryLength, block = a->blockRows;
  const int32_t g = h / (p->queryHeadCount / p->keyValueHeadCount), keys = keyCount(p, b);
  const int64_t rows = tq - q0 < block ? tq - q0 : block, strips = (rows + STRIP - 1) / STRIP;
  const char *kHead = headOf(p, a->k, b, g), *vHead = headOf(p, a->v, b, g);
  const int64_t bytes = (int64_t)elementSize(p);

  float *qT = workspace;                      // [strips][dp][STRIP], times scale · log2 e
  float *o = qT + block * dp;                 // [block][dp]
  float *kTile = o + block * dp;              // [FORWARD_KEYS][dp]
  float *vTile = kTile + FORWARD_KEYS * dp;   // [FORWARD_KEYS][dp]
  float *s = vTile + FORWARD_KEYS * dp;       // [FORWARD_KEYS][STRIP]
  float *biasTile = s + FORWARD_KEYS * STRIP; // [FORWARD_KEYS][STRIP]
  float *maximum = biasTile + FORWARD_KEYS * STRIP, *sum = maximum + block, *alpha = sum + block;

  loadTile(o, dp, strips * STRIP, p, (const char *)headOf(p, a->q, b, h) + q0 * a->q.timeStride * bytes,
           a->q.timeStride, rows);
  for (int64_t t = 0; t < strips; t++)
    transpose(qT + t * STRIP * dp, STRIP, o + t * STRIP * dp, dp, STRIP, dp, p->scale * log2e);
  memset(o, 0, (size_t)(strips * STRIP * dp) * sizeof(float));
  for (int64_t i = 0; i < strips * STRIP; i++) maximum[i] = -INFINITY, sum[i] = 0;

  const int64_t begin = firstKey(p, b, q0) / FORWARD_KEYS * FORWARD_KEYS, end = endKey(p, b, q0 + rows - 1, keys);
  for (int64_t k0 = begin; k0 < end; k0 += FORWARD_KEYS) {
    const int64_t count = end - k0 < FORWARD_KEYS ? end - k0 : FORWARD_KEYS;
    const int64_t padded = (count + MR - 1) / MR * MR;
    loadTile(kTile, dp, padded, p, kHead + k0 * a->k.timeStride * bytes, a->k.timeStride, count);
    loadTile(vTile, dp, count, p, vHead + k0 * a->v.timeStride * bytes, a->v.timeStride, count);

    for (int64_t t = 0; t < strips; t++) {
      const int64_t i0 = q0 + t * STRIP, queries = rows - t * STRIP < STRIP ? rows - t * STRIP : STRIP;
      const int64_t i1 = i0 + queries - 1;
      int64_t from = firstKey(p, b, i0) - k0, to = endKey(p, b, i1, keys) - k0;
      from = from < 0 ? 0 : from;
      to = to > count ? count : to;
      if (from >= to) continue;
      const enum gap_cover cover = gapCover(p, b, i0, queries, k0 + from, k0 + to);
      if (cover == ALL_GAP) continue;
      const bool masked =
          cover == SOME_GAP || firstKey(p, b, i1) > k0 + from || endKey(p, b, i0, keys) < k0 + to;
      struct strip_mask mask;
      if (masked)
        for (int64_t i = 0; i < STRIP; i++) {
          const struct key_range gap = gapOf(p, b, i0 + i);
          mask.first[i] = firstKey(p, b, i0 + i), mask.end[i] = endKey(p, b, i0 + i, keys);
          mask.gapFirst[i] = (int32_t)gap.first, mask.gapEnd[i] = (int32_t)gap.end;
        }

      for (int64_t j = from / MR * MR; j < to; j += MR) {
        // Each strip prefetches its share of the next tile.
        if (j / MR % strips == t) {
          const int64_t next = k0 + FORWARD_KEYS + j, stop = next + MR < end ? next + MR : end;
          prefetchRows(p, kHead, a->k.timeStride, next, stop);
          prefetchRows(p, vHead, a->v.timeStride, next, stop);
        }
        vec acc[MR][NR] = {0};
        accumulateRows(acc, kTile + j * dp, dp, qT + t * STRIP * dp, STRIP, dp);
        for (int m = 0; m < MR; m++)
          for (int n = 0; n < NR; n++) store(s + (j + m) * STRIP + n * WIDTH, acc[m][n]);
      }
      if (p->bias) loadBiasTransposed(biasTile, p, b, h, i0, queries, k0, count);
      softmaxStrip(s, p->bias ? biasTile : NULL, from, to, masked, &mask, k0, maximum + t * STRIP,
                   sum + t * STRIP, alpha);
      for (int64_t r = 0; r < queries; r += MR) {
        // The diagonal crosses the strip: a panel's own range is shorter than the strip's.
        int64_t low = firstKey(p, b, i0 + r) - k0, high = endKey(p, b, i0 + r + MR - 1, keys) - k0;
        low = low < from ? from : low;
        high = high > to ? to : high;
        addTransposedProduct(o + (t * STRIP + r) * dp, dp, alpha + r, s + low * STRIP + r, STRIP, vTile + low * dp,
                             high - low);
      }
    }
  }

  char *out = (char *)headOfOutput(p, a->out, b, h) + q0 * a->out.timeStride * bytes;
  for (int64_t r = 0; r < rows; r++) {
    storeRow(p->dtype == NABLA_ATTENTION_BFLOAT16, p->headSize, out + r * a->out.timeStride * bytes, o + r * dp,
             sum[r] == 0 ? 0 : 1 / sum[r]);
    if (a->lse)
      a->lse[((int64_t)b * p->queryHeadCount + h) * tq + q0 + r] =
          sum[r] == 0 ? -INFINITY : (maximum[r] + log2f(sum[r])) * ln2;
  }
}
