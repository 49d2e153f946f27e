// The kernels of one instruction set. The including file defines WIDTH (lanes of a vector), ROWS (rows of x in a tile),
// TABLE, and these functions:
//
//   void transpose(const uint8_t *x, int64_t stride, integers y[4])   lane l of y[j] = bytes 4j... of x + l · stride
//   integers gather(const uint8_t *x, int64_t stride)                 lane l = the 4 bytes at x + l · stride
//   floats widen(integers x)                                          the float16 in the low half of each lane
//   integers dot(integers sum, integers w, integers x, bool wide)     lane l + Σ of 4 products: bytes of w, which are
//                                                                     at most 63 unless wide, and signed bytes of x
//
// A lane is a row of the weight. A panel of 2 · WIDTH rows is unpacked, some hundred columns at a time, to
// bytes in the order of `dot`: four columns of all rows, then the next four. Bytes are non-negative; the offset that
// makes them so is added to the minimum. Each row of x is then multiplied with the panel, four of its bytes broadcast
// at a time.
#include "quantized_problem.h"

#define HEIGHT (2 * WIDTH)
#define LOW 0x0f0f0f0fu
#define PAIRS 0x03030303u

/// Columns [0, groups · group) of a panel.
struct panel {
  _Alignas(64) integers q[CHUNK / 4][2];
  _Alignas(64) floats scale[CHUNK_GROUPS][2], minimum[CHUNK_GROUPS][2];
};

/// Where an unpacked block of WIDTH rows goes: into half v of a panel from `column` on, or (if there is none) straight
/// into the sums of one row of x, in registers.
struct sink {
  struct panel *panel;
  int v;
  int64_t column;
  const int8_t *x;  // from the block's first column on
  const float *scales, *sums;  // of x, from the block's first group on
  integers sum[16];
  floats total;
};

static inline INLINED floats to_floats(integers x) { return __builtin_convertvector((signed_integers)x, floats); }

/// One group's part of a dot product. However many rows there are, their groups are added in this order, block by
/// block of the columns: a row gets the same bits whatever else is in the batch.
static inline INLINED floats add_group(floats total, integers sum, float d, floats scale, float xSum, floats minimum) {
#pragma clang fp reassociate(off)
  // Clang avoids register moves in the loop over groups if `scale` is the second factor.
  const floats product = to_floats(sum) * d;
  total += minimum * xSum;
  total += scale * product;
  return total;
}

static inline INLINED integers broadcast(const int8_t *x) {
  uint32_t bits;
  memcpy(&bits, x, 4);
  return (integers){0} + bits;
}

/// Four columns of a block, from `column` on.
static inline INLINED void put(enum nabla_block_type type, struct sink *s, int column, integers q) {
  const int g = column / block_format(type).group;
  if (s->panel)
    s->panel->q[(s->column + column) / 4][s->v] = q;
  else
    s->sum[g] = dot(s->sum[g], q, broadcast(s->x + column), type == NABLA_Q8_0);
}

/// The scale and minimum of group g of a block, whose columns have all been stored.
static inline INLINED void put_scale(enum nabla_block_type type, struct sink *s, int g, floats scale, floats minimum) {
  const int group = block_format(type).group;
  if (s->panel) {
    s->panel->scale[s->column / group + g][s->v] = scale;
    s->panel->minimum[s->column / group + g][s->v] = minimum;
  } else {
    s->total = add_group(s->total, s->sum[g], s->scales[g * group / 32], scale, s->sums[g], minimum);
  }
}

/// Bit 4j + b of each lane, for b in 0..<4, to bit 4 of byte b.
static inline INLINED integers spread(integers bits, int j) {
  return ((bits >> (4 * j) & 15) * 0x00204081u & 0x01010101u) << 4;
}

/// Block `b` of WIDTH rows.
static inline INLINED void unpack(enum nabla_block_type type, const uint8_t *block, int64_t stride, struct sink *s) {
  integers t[4], h[4], packed[4];
#pragma clang loop unroll(full)
  for (int g = 0; g < 16; g++) s->sum[g] = (integers){0};
  switch (type) {
    case NABLA_Q4_0:
    case NABLA_Q4_1: {
      integers dm = gather(block, stride);
      transpose(block + (type == NABLA_Q4_0 ? 2 : 4), stride, t);
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; j++) {
        put(type, s, 4 * j, t[j] & LOW);
        put(type, s, 16 + 4 * j, t[j] >> 4 & LOW);
      }
      put_scale(type, s, 0, widen(dm), type == NABLA_Q4_0 ? widen(dm) * 8 : -widen(dm >> 16));
      break;
    }
    case NABLA_Q5_0:
    case NABLA_Q5_1: {
      integers dm = gather(block, stride), high = gather(block + (type == NABLA_Q5_0 ? 2 : 4), stride);
      transpose(block + (type == NABLA_Q5_0 ? 6 : 8), stride, t);
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; j++) {
        put(type, s, 4 * j, (t[j] & LOW) | spread(high, j));
        put(type, s, 16 + 4 * j, (t[j] >> 4 & LOW) | spread(high >> 16, j));
      }
      put_scale(type, s, 0, widen(dm), type == NABLA_Q5_0 ? widen(dm) * 16 : -widen(dm >> 16));
      break;
    }
    case NABLA_Q8_0: {
      floats d = widen(gather(block, stride));
#pragma clang loop unroll(full)
      for (int half = 0; half < 2; half++) {
        transpose(block + 2 + half * 16, stride, t);
#pragma clang loop unroll(full)
        for (int j = 0; j < 4; j++) put(type, s, half * 16 + 4 * j, t[j] ^ 0x80808080u);
      }
      put_scale(type, s, 0, d, d * 128);
      break;
    }
    case NABLA_Q2_K: {
#pragma clang loop unroll(full)
      for (int piece = 0; piece < 4; piece++) {
        transpose(block + 16 + piece * 16, stride, t);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++)
          put(type, s, piece / 2 * 128 + i / 4 * 32 + piece % 2 * 16 + i % 4 * 4, t[i % 4] >> i / 4 * 2 & PAIRS);
      }
      integers dm = gather(block + 80, stride);
      floats d = widen(dm), dmin = widen(dm >> 16);
      transpose(block, stride, packed);
#pragma clang loop unroll(full)
      for (int g = 0; g < 16; g++) {
        integers bits = packed[g / 4] >> (8 * (g % 4));
        put_scale(type, s, g, d * to_floats(bits & 15), dmin * to_floats(bits >> 4 & 15));
      }
      break;
    }
    case NABLA_Q3_K: {
#pragma clang loop unroll(full)
      for (int piece = 0; piece < 4; piece++) {
        const int half = piece / 2, side = piece % 2;
        if (side == 0) transpose(block + half * 16, stride, h);
        transpose(block + 32 + side * 32 + half * 16, stride, t);
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++)
          put(type, s, side * 128 + i / 4 * 32 + half * 16 + i % 4 * 4,
              (t[i % 4] >> i / 4 * 2 & PAIRS) | (h[i % 4] >> (side * 4 + i / 4) & 0x01010101u) << 2);
      }
      // Bytes 96…107 are the scales, read from 92 on.
      floats d = widen(gather(block + 106, stride) >> 16);
      transpose(block + 92, stride, packed);
#pragma clang loop unroll(full)
      for (int g = 0; g < 16; g++) {
        integers low = packed[1 + g % 8 / 4] >> (8 * (g % 4) + g / 8 * 4) & 15;
        integers high = packed[3] >> (8 * (g % 4) + g / 4 * 2) & 3;
        floats scale = d * (to_floats(low | high << 4) - 32);
        put_scale(type, s, g, scale, scale * 4);
      }
      break;
    }
    case NABLA_Q4_K:
    case NABLA_Q5_K: {
#pragma clang loop unroll(full)
      for (int piece = 0; piece < 8; piece++) {
        const int half = type == NABLA_Q4_K ? piece % 2 : piece / 4, pair = type == NABLA_Q4_K ? piece / 2 : piece % 4;
        if (type == NABLA_Q5_K && pair == 0) transpose(block + 16 + half * 16, stride, h);
        transpose(block + (type == NABLA_Q4_K ? 16 : 48) + pair * 32 + half * 16, stride, t);
#pragma clang loop unroll(full)
        for (int j = 0; j < 4; j++) {
          integers low = t[j] & LOW, high = t[j] >> 4 & LOW;
          if (type == NABLA_Q5_K) {
            low |= (h[j] >> 2 * pair & 0x01010101u) << 4;
            high |= (h[j] >> (2 * pair + 1) & 0x01010101u) << 4;
          }
          put(type, s, pair * 64 + half * 16 + 4 * j, low);
          put(type, s, pair * 64 + 32 + half * 16 + 4 * j, high);
        }
      }
      transpose(block, stride, packed);
      floats d = widen(packed[0]), dmin = widen(packed[0] >> 16);
#pragma clang loop unroll(full)
      for (int g = 0; g < 8; g++) {
        const int shift = 8 * (g % 4);
        integers scale = packed[1] >> shift & 63, minimum = packed[2] >> shift & 63;
        if (g >= 4) {
          scale = (packed[3] >> shift & 15) | (packed[1] >> (shift + 6) & 3) << 4;
          minimum = (packed[3] >> (shift + 4) & 15) | (packed[2] >> (shift + 6) & 3) << 4;
        }
        put_scale(type, s, g, d * to_floats(scale), dmin * to_floats(minimum));
      }
      break;
    }
    case NABLA_Q6_K: {
#pragma clang loop unroll(full)
      for (int piece = 0; piece < 8; piece++) {
        const int side = piece / 4, half = piece / 2 % 2, run = piece % 2;
        if (run == 0) transpose(block + 128 + side * 32 + half * 16, stride, h);
        transpose(block + side * 64 + run * 32 + half * 16, stride, t);
#pragma clang loop unroll(full)
        for (int j = 0; j < 4; j++) {
          const int column = side * 128 + run * 32 + half * 16 + 4 * j;
          put(type, s, column, (t[j] & LOW) | (h[j] >> 2 * run & PAIRS) << 4);
          put(type, s, column + 64, (t[j] >> 4 & LOW) | (h[j] >> (2 * run + 4) & PAIRS) << 4);
        }
      }
      floats d = widen(gather(block + 206, stride) >> 16);
      transpose(block + 192, stride, packed);
#pragma clang loop unroll(full)
      for (int g = 0; g < 16; g++) {
        signed_integers signs = (signed_integers)(packed[g / 4] << (24 - 8 * (g % 4))) >> 24;
        floats scale = d * __builtin_convertvector(signs, floats);
        put_scale(type, s, g, scale, scale * 32);
      }
      break;
    }
  }
}

/// Four blocks of Q4_1 of WIDTH rows are twenty words per row, every fifth a scale and a minimum: five transposes,
/// where four blocks one by one would take eight.
static inline INLINED void unpack_four(const uint8_t *blocks, int64_t stride, struct sink *s) {
  integers t[4], dm = {0};
#pragma clang loop unroll(full)
  for (int b = 0; b < 4; b++) s->sum[b] = (integers){0};
#pragma clang loop unroll(full)
  for (int word = 0; word < 20; word++) {
    if (word % 4 == 0) transpose(blocks + 4 * word, stride, t);
    const int b = word / 5, j = word % 5 - 1;
    if (j < 0) {
      dm = t[word % 4];
      continue;
    }
    put(NABLA_Q4_1, s, 32 * b + 4 * j, t[word % 4] & LOW);
    put(NABLA_Q4_1, s, 32 * b + 16 + 4 * j, t[word % 4] >> 4 & LOW);
    if (j == 3) put_scale(NABLA_Q4_1, s, b, widen(dm), -widen(dm >> 16));
  }
}

/// Rows read in parallel are more streams than the hardware prefetcher follows. The next WIDTH rows come right after
/// these: while each block of these is processed, as many bytes of the next rows are prefetched, in memory order.
static inline INLINED const uint8_t *fetch(const uint8_t *next, int64_t bytes) {
#pragma clang loop unroll(full)
  for (int64_t line = 0; line < WIDTH * bytes; line += 64) __builtin_prefetch(next + line, 0, 2);
  return next + WIDTH * bytes;
}

/// The next of `left` blocks, or more where that is faster; returns how many, and moves `next` on as far unless it is
/// NULL.
static inline INLINED int64_t unpack_some(enum nabla_block_type type, const uint8_t *blocks, int64_t left,
                                          int64_t stride, const uint8_t **next, struct sink *s) {
  const int64_t bytes = block_format(type).bytes;
  if (type == NABLA_Q4_1 && left >= 4) {
    unpack_four(blocks, stride, s);
    if (*next) *next = fetch(*next, 4 * bytes);
    return 4;
  }
  unpack(type, blocks, stride, s);
  if (*next) *next = fetch(*next, bytes);
  return 1;
}

/// What to prefetch while tiles are processed: a few cache lines with each group.
struct ahead {
  const uint8_t *next, *end;
};

static inline INLINED void fetch_some(struct ahead *ahead, int group, bool wide) {
  // Three tiles prefetch a panel.
  const int lines = wide ? 6 : group == 16 ? 2 : 4;
  if (ahead->next >= ahead->end) return;
#pragma clang loop unroll(full)
  for (int line = 0; line < lines; line++) __builtin_prefetch(ahead->next + 64 * line, 0, 2);
  ahead->next += 64 * lines;
}

/// `rows` rows of x, from `row` on, over a panel of columns `from`...: y = its sums plus `start`, plus the addend.
static inline INLINED void tile(int rows, int group, bool wide, const struct panel *p, int64_t columns, int64_t from,
                                const struct panel_task *task, int64_t row, const floats start[2], const float *addend,
                                struct ahead *ahead) {
  const struct nabla_quantized_rows x = task->x;
  const int8_t *q = x.q + row * x.columns + from;
  const float *scales = x.scales + (row * x.columns + from) / 32;
  const float *sums = (group == 32 ? x.sums32 : x.sums16) + (row * x.columns + from) / group;
  floats total[ROWS][2];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) total[r][0] = start[0], total[r][1] = start[1];
  for (int64_t g = 0; g < columns / group; g++) {
    fetch_some(ahead, group, wide);
    integers sum[ROWS][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = (integers){0};
#pragma clang loop unroll(full)
    for (int k = 0; k < group / 4; k++) {
      const integers w0 = p->q[g * (group / 4) + k][0], w1 = p->q[g * (group / 4) + k][1];
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const integers v = broadcast(q + r * x.columns + g * group + 4 * k);
        sum[r][0] = dot(sum[r][0], w0, v, wide);
        sum[r][1] = dot(sum[r][1], w1, v, wide);
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const float d = scales[r * (x.columns / 32) + g * group / 32], s = sums[r * (x.columns / group) + g];
      total[r][0] = add_group(total[r][0], sum[r][0], d, p->scale[g][0], s, p->minimum[g][0]);
      total[r][1] = add_group(total[r][1], sum[r][1], d, p->scale[g][1], s, p->minimum[g][1]);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    float *y = task->y + (row + r) * task->stride;
    const float *more = addend ? addend + (row + r) * task->stride : NULL;
    if (task->count == HEIGHT) {
      loose_floats *to = (loose_floats *)y;
      const loose_floats *other = (const loose_floats *)more;
      to[0] = more ? other[0] + total[r][0] : total[r][0];
      to[1] = more ? other[1] + total[r][1] : total[r][1];
    } else {
      float values[HEIGHT];
      memcpy(values, total[r], sizeof values);
      for (int64_t i = 0; i < task->count; i++) y[i] = more ? more[i] + values[i] : values[i];
    }
  }
}

#define TILE(R) \
  case R: tile(R, group, wide, p, columns, from, task, row, start, addend, &ahead); break;

/// All rows of x over the panel.
static inline INLINED void multiply(int group, bool wide, const struct panel *p, int64_t columns, int64_t from,
                                    const struct panel_task *task, const floats start[2],
                                    const float *addend, struct ahead ahead) {
  int64_t row = 0;
  for (; row + ROWS <= task->x.rows; row += ROWS)
    tile(ROWS, group, wide, p, columns, from, task, row, start, addend, &ahead);
  switch (task->x.rows - row) {
    TILE(1)
#if ROWS > 2
    TILE(2)
#endif
#if ROWS > 3
    TILE(3)
    TILE(4)
    TILE(5)
#endif
    default: break;
  }
}

static void multiply_32(const struct panel *p, int64_t columns, int64_t from, const struct panel_task *task,
                        const floats start[2], const float *addend, struct ahead ahead) {
  multiply(32, false, p, columns, from, task, start, addend, ahead);
}
static void multiply_32_wide(const struct panel *p, int64_t columns, int64_t from, const struct panel_task *task,
                             const floats start[2], const float *addend, struct ahead ahead) {
  multiply(32, true, p, columns, from, task, start, addend, ahead);
}
static void multiply_16(const struct panel *p, int64_t columns, int64_t from, const struct panel_task *task,
                        const floats start[2], const float *addend, struct ahead ahead) {
  multiply(16, false, p, columns, from, task, start, addend, ahead);
}

/// `columns` columns of a panel whose rows begin at x, while prefetching from `next`, if not NULL.
static inline INLINED void unpack_all(enum nabla_block_type type, const uint8_t *x, int64_t stride, int64_t columns,
                                      const uint8_t *next, struct panel *p) {
  const struct block_format format = block_format(type);
  const int64_t blocks = columns / format.size;
  for (int v = 0; v < 2; v++, x += WIDTH * stride)
    for (int64_t b = 0; b < blocks;) {
      struct sink s = {.panel = p, .v = v, .column = b * format.size};
      b += unpack_some(type, x + b * format.bytes, blocks - b, stride, &next, &s);
    }
}

/// One row of x: unpacked weights would not be reused.
static inline INLINED void multiply_one(enum nabla_block_type type, const struct panel_task *task, int64_t part,
                                        const floats start[2]) {
  const struct block_format format = block_format(type);
  const int64_t blocks = task->x.columns / format.size, stride = task->rowBytes, whole = part / format.size;
  const uint8_t *x = task->blocks;
  for (int v = 0; v < 2; v++, x += WIDTH * stride) {
    struct sink s = {.x = task->x.q, .scales = task->x.scales, .total = start[v]};
    s.sums = format.group == 32 ? task->x.sums32 : task->x.sums16;
    const uint8_t *next = x + WIDTH * stride;
    loose_floats *y = (loose_floats *)task->y + v;
    const loose_floats *addend = task->addend ? (const loose_floats *)task->addend + v : NULL;
    for (int64_t from = 0; from < blocks; from += whole) {
      const int64_t end = from + whole < blocks ? from + whole : blocks;
      for (int64_t b = from; b < end;) {
        const int64_t n = unpack_some(type, x + b * format.bytes, end - b, stride, &next, &s);
        s.x += n * format.size;
        s.scales += n * format.size / 32;
        s.sums += n * format.size / format.group;
        b += n;
      }
      *y = addend ? *addend + s.total : s.total;
      addend = y;
      s.total = (floats){0};
    }
  }
}

#define FOR_TYPE(TYPE)                                                                                            \
  static void unpack_##TYPE(const uint8_t *x, int64_t stride, int64_t columns, const uint8_t *next,                \
                            struct panel *p) {                                                                   \
    unpack_all(TYPE, x, stride, columns, next, p);                                                               \
  }                                                                                                              \
  static void multiply_one_##TYPE(const struct panel_task *task, int64_t part, const floats start[2]) {          \
    multiply_one(TYPE, task, part, start);                                                                       \
  }
FOR_EACH_BLOCK_TYPE(FOR_TYPE)

static void run(const struct panel_task *task) {
  const struct block_format format = block_format(task->type);
  floats start[2] = {{0}, {0}};
  if (task->bias) memcpy(start, task->bias, (size_t)task->count * sizeof(float));
  // Parts of about the same size, in whole blocks.
  const int64_t columns = task->x.columns, parts = (columns + CHUNK - 1) / CHUNK;
  int64_t part = ((columns + parts - 1) / parts + format.size - 1) / format.size * format.size;
  if (part > CHUNK) part = CHUNK / format.size * format.size;
  if (task->x.rows == 1 && task->count == HEIGHT) {
    switch (task->type) {
#define CASE(TYPE) \
  case TYPE: multiply_one_##TYPE(task, part, start); break;
      FOR_EACH_BLOCK_TYPE(CASE)
#undef CASE
    }
    return;
  }
  struct panel p;
  uint8_t rest[HEIGHT * CHUNK / 32 * sizeof(struct q8_0)];
  for (int64_t from = 0; from < columns; from += part) {
    const int64_t n = columns - from < part ? columns - from : part, bytes = n / format.size * format.bytes;
    const int64_t done = from / format.size * format.bytes;
    const uint8_t *x = task->blocks + done;
    int64_t stride = task->rowBytes;
    // This part's share of the next panel. Unpacking prefetches it where few tiles follow.
    const uint8_t *next = task->blocks + HEIGHT * (stride + done);
    struct ahead ahead = {next, next};
    if (task->x.rows > 2 * ROWS) {
      ahead.end += HEIGHT * bytes;
      next = NULL;
    }
    if (task->count < HEIGHT) {
      // Too few rows for a panel: copied and padded with zeros.
      memset(rest, 0, (size_t)(HEIGHT * bytes));
      for (int64_t i = 0; i < task->count; i++) memcpy(rest + i * bytes, x + i * stride, (size_t)bytes);
      x = rest;
      stride = bytes;
    }
    switch (task->type) {
#define CASE(TYPE) \
  case TYPE: unpack_##TYPE(x, stride, n, next, &p); break;
      FOR_EACH_BLOCK_TYPE(CASE)
#undef CASE
    }
    (format.group == 16 ? multiply_16 : task->type == NABLA_Q8_0 ? multiply_32_wide : multiply_32)(
        &p, n, from, task, start, from > 0 ? task->y : task->addend, ahead);
    start[0] = start[1] = (floats){0};
  }
}

const struct quantized_kernels TABLE = {.height = HEIGHT, .run = run};
