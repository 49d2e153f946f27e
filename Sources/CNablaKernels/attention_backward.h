// Backward tiles. With the log-sum-exp of the forward pass the weights of any tile can be recomputed, P = exp(S - lse),
// and
//   dV += Pᵀ dO,   dP = dO Vᵀ,   dS = P ∘ (dP - delta),   dQ += scale · dS K,   dK += scale · dSᵀ Q.
// A task owns a block of keys, so dK and dV stay in its tiles; Kᵀ and Vᵀ are transposed once per task. dQ is summed in
// float32 over the blocks of keys in ascending order, whichever thread computes them.

// The row stride of a tile of scores. A power of two would put the rows of a strip into few sets of the L1 cache.
enum { SCORE_STRIDE = BACKWARD_KEYS + 16 };

static size_t backwardFloats(const problem_t *p) {
  const size_t dp = (size_t)paddedHead(p);
  return (6 * BACKWARD_KEYS + 2 * BACKWARD_QUERIES) * dp + 3 * BACKWARD_QUERIES * SCORE_STRIDE + 2 * BACKWARD_QUERIES;
}

// The key blocks that some query of a block of queries sees: [first, end), empty if none.
static void keyBlocks(
    const problem_t *p, int32_t b, int32_t keys, int64_t queryBlock, int64_t *first, int64_t *end) {
  const int64_t q0 = queryBlock * BACKWARD_QUERIES, q1 = q0 + BACKWARD_QUERIES;
  const int64_t q2 = q1 < p->queryLength ? q1 : p->queryLength;
  const int64_t lo = firstKey(p, b, q0), hi = endKey(p, b, q2 - 1, keys);
  *first = lo / BACKWARD_KEYS;
  *end = lo < hi ? (hi + BACKWARD_KEYS - 1) / BACKWARD_KEYS : *first;
}

static void backwardPrepare(const struct backward_arguments *a, int32_t b, int32_t h, int32_t block) {
  const problem_t *p = a->p;
  const int64_t tq = p->queryLength, bytes = (int64_t)elementSize(p), q0 = (int64_t)block * BACKWARD_QUERIES;
  const int64_t q1 = q0 + BACKWARD_QUERIES < tq ? q0 + BACKWARD_QUERIES : tq, head = (int64_t)b * p->queryHeadCount + h;
  const char *out = headOf(p, a->out, b, h), *dout = headOf(p, a->dout, b, h);
  const int64_t dp = paddedHead(p);
  float x[NABLA_ATTENTION_MAX_HEAD_SIZE], y[NABLA_ATTENTION_MAX_HEAD_SIZE];
  for (int64_t i = q0; i < q1; i++) {
    loadTile(x, dp, 1, p, out + i * a->out.timeStride * bytes, a->out.timeStride, 1);
    loadTile(y, dp, 1, p, dout + i * a->dout.timeStride * bytes, a->dout.timeStride, 1);
    vec s = {0};
    for (int64_t d = 0; d < dp; d += WIDTH) s += load(x + d) * load(y + d);
    float sum = 0;
    for (int n = 0; n < WIDTH; n++) sum += s[n];
    a->delta[head * tq + i] = sum;
  }
  int64_t first, end;
  keyBlocks(p, b, keyCount(p, b), block, &first, &end);
  if (first < end) return;
  char *dq = (char *)headOfOutput(p, a->dq, b, h) + q0 * a->dq.timeStride * bytes;
  for (int64_t i = q0; i < q1; i++) memset(dq + (i - q0) * a->dq.timeStride * bytes, 0, (size_t)(p->headSize * bytes));
}

// Waits until the key blocks before this one have been added to a block of dq. They belong to tasks started
// earlier, so some running thread is working on them and the wait ends.
static void awaitTurn(atomic_int *ticket, int turn) {
  for (int spins = 0; atomic_load_explicit(ticket, memory_order_acquire) != turn; spins++)
    if (spins > 2000) sched_yield();
}

struct backward_tiles {
  const float *q, *dout;    // [BACKWARD_QUERIES][dp]
  const float *kT, *vT;     // [strips][dp][STRIP]; kT times scale · log2 e
  float *weights, *dscores; // [BACKWARD_QUERIES][SCORE_STRIDE]
  const float *lse, *delta; // [BACKWARD_QUERIES]; lse in log2 units, +∞ for rows that see nothing
  const float *bias;        // [BACKWARD_QUERIES][SCORE_STRIDE] in log2 units, or NULL
};

// The keys that each query of a tile sees, as columns of the tile: [first, end) less [gapFirst, gapEnd).
struct row_mask {
  int32_t first[BACKWARD_QUERIES], end[BACKWARD_QUERIES], gapFirst[BACKWARD_QUERIES], gapEnd[BACKWARD_QUERIES];
};

// Weights P and score gradients dS of MR queries from row r against the STRIP keys from column c of the tile.
// mask: the keys each row sees; NULL if all.
static void backwardScores(
    const struct backward_tiles *t, int64_t dp, int64_t r, int64_t c, const struct row_mask *mask) {
  vec s[MR][NR] = {0};
  accumulateRows(s, t->q + r * dp, dp, t->kT + c * dp, STRIP, dp);
  ivec lane;
  for (int n = 0; n < WIDTH; n++) lane[n] = n;
  for (int m = 0; m < MR; m++)
    for (int n = 0; n < NR; n++) {
      const int64_t column = c + n * WIDTH;
      vec x = s[m][n];
      if (t->bias) x += load(t->bias + (r + m) * SCORE_STRIDE + column);
      x = exp2Vector(x - splat(t->lse[r + m]));
      if (mask) {
        const ivec key = lane + (int32_t)column;
        const ivec inside = (key >= isplat(mask->first[r + m])) & (key < isplat(mask->end[r + m]));
        const ivec outsideGap = (key < isplat(mask->gapFirst[r + m])) | (key >= isplat(mask->gapEnd[r + m]));
        x = choose(inside & outsideGap, x, splat(0));
      }
      store(t->weights + (r + m) * SCORE_STRIDE + column, x);
    }
  vec g[MR][NR] = {0};
  accumulateRows(g, t->dout + r * dp, dp, t->vT + c * dp, STRIP, dp);
  for (int m = 0; m < MR; m++)
    for (int n = 0; n < NR; n++) {
      const int64_t at = (r + m) * SCORE_STRIDE + c + n * WIDTH;
      store(t->dscores + at, load(t->weights + at) * (g[m][n] - splat(t->delta[r + m])));
    }
}

// P = dS = 0 of MR queries against STRIP keys that they do not see, between others that they see.
static void clearScores(const struct backward_tiles *t, int64_t r, int64_t c) {
  for (int m = 0; m < MR; m++) {
    memset(t->weights + (r + m) * SCORE_STRIDE + c, 0, STRIP * sizeof(float));
    memset(t->dscores + (r + m) * SCORE_STRIDE + c, 0, STRIP * sizeof(float));
  }
}

static void loadBias(
    float *tile, const problem_t *p, int64_t b, int64_t h, int64_t q0, int64_t rows, int64_t k0, int64_t keys) {
  memset(tile, 0, BACKWARD_QUERIES * SCORE_STRIDE * sizeof(float));
  for (int64_t i = 0; i < rows; i++) {
    const float *from = p->bias + b * p->biasBatchStride + h * p->biasHeadStride + (q0 + i) * p->biasQueryStride + k0;
    for (int64_t j = 0; j < keys; j++) tile[i * SCORE_STRIDE + j] = from[j] * log2e;
  }
}

static void backwardBlock(
    const struct backward_arguments *a, int32_t b, int32_t g, int32_t keyBlock, float *dqSum, float *workspace) {
  const problem_t *p = a->p;
  const int64_t dp = paddedHead(p), tq = p->queryLength, bytes = (int64_t)elementSize(p);
  const int32_t group = p->queryHeadCount / p->keyValueHeadCount, keys = keyCount(p, b);
  const int64_t k0 = (int64_t)keyBlock * BACKWARD_KEYS, queryBlocks = (tq + BACKWARD_QUERIES - 1) / BACKWARD_QUERIES;
  const int64_t tileRows = p->keyLength - k0 < BACKWARD_KEYS ? p->keyLength - k0 : BACKWARD_KEYS;
  const int64_t count = keys - k0 < 0 ? 0 : keys - k0 < BACKWARD_KEYS ? keys - k0 : BACKWARD_KEYS;

  float *k = workspace, *kT = k + BACKWARD_KEYS * dp, *vT = kT + BACKWARD_KEYS * dp, *v = vT + BACKWARD_KEYS * dp;
  float *dk = v, *dv = dk + BACKWARD_KEYS * dp;  // v is only read to be transposed
  float *q = dv + 2 * BACKWARD_KEYS * dp, *dout = q + BACKWARD_QUERIES * dp;
  float *weights = dout + BACKWARD_QUERIES * dp, *dscores = weights + BACKWARD_QUERIES * SCORE_STRIDE;
  float *bias = dscores + BACKWARD_QUERIES * SCORE_STRIDE;
  float *lse = bias + BACKWARD_QUERIES * SCORE_STRIDE, *delta = lse + BACKWARD_QUERIES;
  const struct backward_tiles tiles = {q, dout, kT, vT, weights, dscores, lse, delta, p->bias ? bias : NULL};

  if (count > 0) {
    loadTile(k, dp, BACKWARD_KEYS, p, (const char *)headOf(p, a->k, b, g) + k0 * a->k.timeStride * bytes,
             a->k.timeStride, count);
    loadTile(v, dp, BACKWARD_KEYS, p, (const char *)headOf(p, a->v, b, g) + k0 * a->v.timeStride * bytes,
             a->v.timeStride, count);
    for (int64_t c = 0; c < BACKWARD_KEYS; c += STRIP) {
      transpose(kT + c * dp, STRIP, k + c * dp, dp, STRIP, dp, p->scale * log2e);
      transpose(vT + c * dp, STRIP, v + c * dp, dp, STRIP, dp, 1);
    }
  }
  memset(dk, 0, (size_t)(2 * BACKWARD_KEYS * dp) * sizeof(float));

  for (int32_t member = 0; member < group && count > 0; member++) {
    const int32_t h = g * group + member;
    const int64_t head = (int64_t)b * p->queryHeadCount + h;
    for (int64_t block = 0; block < queryBlocks; block++) {
      int64_t firstBlock, endBlock;
      keyBlocks(p, b, keys, block, &firstBlock, &endBlock);
      if (keyBlock < firstBlock || keyBlock >= endBlock) continue;
      const int64_t q0 = block * BACKWARD_QUERIES, rows = tq - q0 < BACKWARD_QUERIES ? tq - q0 : BACKWARD_QUERIES;
      const int64_t padded = (rows + MR - 1) / MR * MR;
      loadTile(q, dp, padded, p, (const char *)headOf(p, a->q, b, h) + q0 * a->q.timeStride * bytes, a->q.timeStride,
               rows);
      loadTile(dout, dp, padded, p, (const char *)headOf(p, a->dout, b, h) + q0 * a->dout.timeStride * bytes,
               a->dout.timeStride, rows);
      if (p->bias) loadBias(bias, p, b, h, q0, rows, k0, count);
      struct row_mask mask;
      const int32_t *first = mask.first, *last = mask.end;
      for (int64_t r = 0; r < padded; r++) {
        const bool real = r < rows;
        const float x = real ? a->lse[head * tq + q0 + r] : -INFINITY;
        lse[r] = x == -INFINITY ? INFINITY : x * log2e;
        delta[r] = real ? a->delta[head * tq + q0 + r] : 0;
        const int64_t lo = real ? firstKey(p, b, q0 + r) - k0 : 0, hi = real ? endKey(p, b, q0 + r, keys) - k0 : 0;
        const struct key_range gap = gapOf(p, b, q0 + r);
        mask.first[r] = (int32_t)(lo < 0 ? 0 : lo > count ? count : lo);
        mask.end[r] = (int32_t)(hi < 0 ? 0 : hi > count ? count : hi);
        mask.gapFirst[r] = (int32_t)(gap.first - k0), mask.gapEnd[r] = (int32_t)(gap.end - k0);
      }

      // Strips of keys against panels of queries; tiles entirely outside the mask are neither computed nor read.
      for (int64_t c = 0; c < count; c += STRIP) {
        int64_t fromRow = BACKWARD_QUERIES, toRow = 0;
        for (int64_t r = 0; r < padded; r += MR) {
          const int64_t final = r + MR < rows ? r + MR - 1 : rows - 1;
          if (first[r] >= c + STRIP || last[final] <= c || first[r] >= last[final]) continue;
          const enum gap_cover cover = gapCover(p, b, q0 + r, final + 1 - r, k0 + c, k0 + c + STRIP);
          if (cover == ALL_GAP) {
            clearScores(&tiles, r, c);
            continue;
          }
          const bool full =
              cover == NO_GAP && final == r + MR - 1 && first[final] <= c && last[r] >= c + STRIP;
          backwardScores(&tiles, dp, r, c, full ? NULL : &mask);
          if (c == 0) {
            const int64_t next = q0 + BACKWARD_QUERIES + r, stop = next + MR < tq ? next + MR : tq;
            prefetchRows(p, headOf(p, a->q, b, h), a->q.timeStride, next, stop);
            prefetchRows(p, headOf(p, a->dout, b, h), a->dout.timeStride, next, stop);
          }
          if (fromRow > r) fromRow = r;
          toRow = r + MR;
        }
        // The diagonal crosses the strip: each panel of keys starts at the first queries that see it.
        for (int64_t j = c; j < c + STRIP && j < count; j += MR) {
          while (fromRow < toRow && last[fromRow + MR - 1 < rows ? fromRow + MR - 1 : rows - 1] <= j) fromRow += MR;
          if (fromRow >= toRow) break;
          const int64_t at = fromRow * SCORE_STRIDE + j, depth = toRow - fromRow;
          addTransposedProduct(dv + j * dp, dp, NULL, weights + at, SCORE_STRIDE, dout + fromRow * dp, depth);
          addTransposedProduct(dk + j * dp, dp, NULL, dscores + at, SCORE_STRIDE, q + fromRow * dp, depth);
        }
      }

      float *sum = dqSum + (member * queryBlocks * BACKWARD_QUERIES + q0) * dp;
      atomic_int *ticket = a->ticket ? a->ticket + head * queryBlocks + block : NULL;
      if (ticket) awaitTurn(ticket, (int)(keyBlock - firstBlock));
      for (int64_t r = 0; r < padded; r += MR) {
        const int64_t final = r + MR < rows ? r + MR - 1 : rows - 1;
        const int64_t c = first[r], depth = last[final] > c ? last[final] - c : 0;
        addProduct(sum + r * dp, dp, keyBlock > firstBlock, dscores + r * SCORE_STRIDE + c, SCORE_STRIDE, k + c * dp,
                   depth);
      }
      if (keyBlock == endBlock - 1)
        storeTile(p, (char *)headOfOutput(p, a->dq, b, h) + q0 * a->dq.timeStride * bytes, a->dq.timeStride, sum, dp,
                  rows, p->scale);
      if (ticket) atomic_store_explicit(ticket, (int)(keyBlock - firstBlock) + 1, memory_order_release);
    }
  }
  storeTile(p, (char *)headOfOutput(p, a->dk, b, g) + k0 * a->dk.timeStride * bytes, a->dk.timeStride, dk, dp, tileRows,
            p->scale);
  storeTile(p, (char *)headOfOutput(p, a->dv, b, g) + k0 * a->dv.timeStride * bytes, a->dv.timeStride, dv, dp, tileRows,
            1);
}
