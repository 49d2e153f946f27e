// The kernels of one instruction set. The including file defines WIDTH (lanes of a vector), ROWS (rows of x in a tile),
// TABLE, and these functions:
//
//   void transpose(const uint8_t *x, int64_t stride, integers y[4])   lane l of y[j] = bytes 4j... of x + l · stride
//   integers gather(const uint8_t *x, int64_t stride)                 lane l = the 4 bytes at x + l · stride
//   floats widen(integers x)                                          the float16 in the low half of each lane
//   integers dot(integers sum, integers w, integers x, bool wide)     lane l + Σ of 4 products: bytes of w, which are
//                                                                     at most 63 unless wide, and signed bytes of x
//
// A lane is a row of the weight. A panel of 2 · WIDTH rows is unpacked, some hundred columns at a time, to bytes in the
// order that `dot` takes them: four columns of all rows, then the next four. Bytes are non-negative; what was added to
// make them so joins the minimum. Each row of x then passes over the panel, four of its bytes broadcast at a time.
#include "quantized_problem.h"

#define HEIGHT (2 * WIDTH)
#define LOW 0x0f0f0f0fu

/// Columns [0, groups · group) of a panel.
struct panel {
  _Alignas(64) integers q[CHUNK / 4][2];
  _Alignas(64) floats scale[CHUNK_GROUPS][2], minimum[CHUNK_GROUPS][2];
};

/// 16 columns from `column` on: q[j] holds columns 4j...4j+3.
static inline INLINED void put(struct panel *p, int v, int64_t column, integers q0, integers q1, integers q2,
                               integers q3) {
  p->q[column / 4][v] = q0;
  p->q[column / 4 + 1][v] = q1;
  p->q[column / 4 + 2][v] = q2;
  p->q[column / 4 + 3][v] = q3;
}

/// 16 packed bytes whose nibbles are 16 columns from `low` and 16 from `high` on; bits to add to each may be given.
static inline INLINED void put_nibbles(struct panel *p, int v, int64_t low, int64_t high, const integers t[4],
                                       const integers addLow[4], const integers addHigh[4]) {
  for (int j = 0; j < 4; j++) {
    p->q[low / 4 + j][v] = addLow ? (t[j] & LOW) | addLow[j] : t[j] & LOW;
    p->q[high / 4 + j][v] = addHigh ? (t[j] >> 4 & LOW) | addHigh[j] : t[j] >> 4 & LOW;
  }
}

static inline INLINED void put_scale(struct panel *p, int v, int64_t group, floats scale, floats minimum) {
  p->scale[group][v] = scale;
  p->minimum[group][v] = minimum;
}

static inline INLINED floats to_floats(integers x) { return __builtin_convertvector((signed_integers)x, floats); }

/// Bit 4j + b of each lane, for b in 0..<4, to bit 4 of byte b of y[j].
static inline INLINED void spread(integers bits, integers y[4]) {
  for (int j = 0; j < 4; j++) y[j] = ((bits >> (4 * j) & 15) * 0x00204081u & 0x01010101u) << 4;
}

/// Block `b` of WIDTH rows, to columns b · size... of half v of the panel.
static inline INLINED void unpack(enum nabla_block_type type, const uint8_t *x, int64_t stride, int64_t b,
                                  struct panel *p, int v) {
  const struct block_format format = block_format(type);
  const int64_t column = b * format.size, group = column / format.group;
  const uint8_t *block = x + b * format.bytes;
  integers t[4], u[4], h[4], s[4], add[4], more[4];
  switch (type) {
    case NABLA_Q4_0: {
      floats d = widen(gather(block, stride));
      transpose(block + 2, stride, t);
      put_nibbles(p, v, column, column + 16, t, NULL, NULL);
      put_scale(p, v, group, d, d * 8);
      break;
    }
    case NABLA_Q4_1: {
      integers dm = gather(block, stride);
      transpose(block + 4, stride, t);
      put_nibbles(p, v, column, column + 16, t, NULL, NULL);
      put_scale(p, v, group, widen(dm), -widen(dm >> 16));
      break;
    }
    case NABLA_Q5_0: {
      floats d = widen(gather(block, stride));
      integers high = gather(block + 2, stride);
      transpose(block + 6, stride, t);
      spread(high, add);
      spread(high >> 16, more);
      put_nibbles(p, v, column, column + 16, t, add, more);
      put_scale(p, v, group, d, d * 16);
      break;
    }
    case NABLA_Q5_1: {
      integers dm = gather(block, stride), high = gather(block + 4, stride);
      transpose(block + 8, stride, t);
      spread(high, add);
      spread(high >> 16, more);
      put_nibbles(p, v, column, column + 16, t, add, more);
      put_scale(p, v, group, widen(dm), -widen(dm >> 16));
      break;
    }
    case NABLA_Q8_0: {
      floats d = widen(gather(block, stride));
      const uint32_t sign = 0x80808080u;
      transpose(block + 2, stride, t);
      put(p, v, column, t[0] ^ sign, t[1] ^ sign, t[2] ^ sign, t[3] ^ sign);
      transpose(block + 18, stride, t);
      put(p, v, column + 16, t[0] ^ sign, t[1] ^ sign, t[2] ^ sign, t[3] ^ sign);
      put_scale(p, v, group, d, d * 128);
      break;
    }
    case NABLA_Q2_K: {
      integers dm = gather(block + 80, stride);
      floats d = widen(dm), dmin = widen(dm >> 16);
      transpose(block, stride, s);
      for (int g = 0; g < 16; g++) {
        integers bits = s[g / 4] >> (8 * (g % 4));
        put_scale(p, v, group + g, d * to_floats(bits & 15), dmin * to_floats(bits >> 4 & 15));
      }
      for (int piece = 0; piece < 4; piece++) {
        transpose(block + 16 + piece * 16, stride, t);
        for (int part = 0; part < 4; part++)
          put(p, v, column + piece / 2 * 128 + part * 32 + piece % 2 * 16, t[0] >> 2 * part & 0x03030303u,
              t[1] >> 2 * part & 0x03030303u, t[2] >> 2 * part & 0x03030303u, t[3] >> 2 * part & 0x03030303u);
      }
      break;
    }
    case NABLA_Q3_K: {
      // Bytes 96…107 are the scales, read from 92 on.
      floats d = widen(gather(block + 106, stride) >> 16);
      transpose(block + 92, stride, s);
      for (int g = 0; g < 16; g++) {
        integers low = s[1 + g % 8 / 4] >> (8 * (g % 4) + g / 8 * 4) & 15;
        integers high = s[3] >> (8 * (g % 4) + g / 4 * 2) & 3;
        floats scale = d * (to_floats(low | high << 4) - 32);
        put_scale(p, v, group + g, scale, scale * 4);
      }
      for (int half = 0; half < 2; half++) {
        transpose(block + half * 16, stride, h);
        for (int side = 0; side < 2; side++) {
          transpose(block + 32 + side * 32 + half * 16, stride, t);
          for (int part = 0; part < 4; part++) {
            for (int j = 0; j < 4; j++)
              u[j] = (t[j] >> 2 * part & 0x03030303u) | (h[j] >> (side * 4 + part) & 0x01010101u) << 2;
            put(p, v, column + side * 128 + part * 32 + half * 16, u[0], u[1], u[2], u[3]);
          }
        }
      }
      break;
    }
    case NABLA_Q4_K:
    case NABLA_Q5_K: {
      transpose(block, stride, s);
      floats d = widen(s[0]), dmin = widen(s[0] >> 16);
      for (int g = 0; g < 8; g++) {
        const int shift = 8 * (g % 4);
        integers scale = s[1] >> shift & 63, minimum = s[2] >> shift & 63;
        if (g >= 4) {
          scale = (s[3] >> shift & 15) | (s[1] >> (shift + 6) & 3) << 4;
          minimum = (s[3] >> (shift + 4) & 15) | (s[2] >> (shift + 6) & 3) << 4;
        }
        put_scale(p, v, group + g, d * to_floats(scale), dmin * to_floats(minimum));
      }
      const uint8_t *low = block + (type == NABLA_Q4_K ? 16 : 48);
      for (int half = 0; half < 2; half++) {
        if (type == NABLA_Q5_K) transpose(block + 16 + half * 16, stride, h);
        for (int pair = 0; pair < 4; pair++) {
          transpose(low + pair * 32 + half * 16, stride, t);
          if (type == NABLA_Q5_K)
            for (int j = 0; j < 4; j++) {
              add[j] = (h[j] >> 2 * pair & 0x01010101u) << 4;
              more[j] = (h[j] >> (2 * pair + 1) & 0x01010101u) << 4;
            }
          const int64_t place = column + pair * 64 + half * 16;
          put_nibbles(p, v, place, place + 32, t, type == NABLA_Q5_K ? add : NULL, type == NABLA_Q5_K ? more : NULL);
        }
      }
      break;
    }
    case NABLA_Q6_K: {
      floats d = widen(gather(block + 206, stride) >> 16);
      transpose(block + 192, stride, s);
      for (int g = 0; g < 16; g++) {
        signed_integers signs = (signed_integers)(s[g / 4] << (24 - 8 * (g % 4))) >> 24;
        floats scale = d * __builtin_convertvector(signs, floats);
        put_scale(p, v, group + g, scale, scale * 32);
      }
      for (int side = 0; side < 2; side++)
        for (int half = 0; half < 2; half++) {
          transpose(block + 128 + side * 32 + half * 16, stride, h);
          for (int run = 0; run < 2; run++) {
            transpose(block + side * 64 + run * 32 + half * 16, stride, t);
            for (int j = 0; j < 4; j++) {
              add[j] = (h[j] >> 2 * run & 0x03030303u) << 4;
              more[j] = (h[j] >> (2 * run + 4) & 0x03030303u) << 4;
            }
            const int64_t place = column + side * 128 + run * 32 + half * 16;
            put_nibbles(p, v, place, place + 64, t, add, more);
          }
        }
      break;
    }
  }
}

static inline INLINED integers broadcast(const int8_t *x) {
  uint32_t bits;
  memcpy(&bits, x, 4);
  return (integers){0} + bits;
}

/// `rows` rows of x, from `row` on, over a panel of columns `from`...: y = its sums plus `start`, or y +=.
static inline INLINED void tile(int rows, int group, bool wide, const struct panel *p, int64_t columns, int64_t from,
                                const struct panel_task *task, int64_t row, const floats start[2], bool adds) {
  const struct nabla_quantized_rows x = task->x;
  const int8_t *q = x.q + row * x.columns + from;
  const float *scales = x.scales + (row * x.columns + from) / 32;
  const float *sums = (group == 32 ? x.sums32 : x.sums16) + (row * x.columns + from) / group;
  floats total[ROWS][2];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) total[r][0] = start[0], total[r][1] = start[1];
  for (int64_t g = 0; g < columns / group; g++) {
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
      total[r][0] += to_floats(sum[r][0]) * d * p->scale[g][0] + p->minimum[g][0] * s;
      total[r][1] += to_floats(sum[r][1]) * d * p->scale[g][1] + p->minimum[g][1] * s;
    }
  }
  float *y = task->y + row * task->stride;
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++, y += task->stride) {
    if (task->count == HEIGHT) {
      loose_floats *to = (loose_floats *)y;
      to[0] = adds ? to[0] + total[r][0] : total[r][0];
      to[1] = adds ? to[1] + total[r][1] : total[r][1];
    } else {
      float values[HEIGHT];
      memcpy(values, total[r], sizeof values);
      for (int64_t i = 0; i < task->count; i++) y[i] = adds ? y[i] + values[i] : values[i];
    }
  }
}

#define TILE(R) \
  case R: tile(R, group, wide, p, columns, from, task, row, start, adds); break;

/// All rows of x over the panel.
static inline INLINED void multiply(int group, bool wide, const struct panel *p, int64_t columns, int64_t from,
                                    const struct panel_task *task, const floats start[2], bool adds) {
  int64_t row = 0;
  for (; row + ROWS <= task->x.rows; row += ROWS)
    tile(ROWS, group, wide, p, columns, from, task, row, start, adds);
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
                        const floats start[2], bool adds) {
  multiply(32, false, p, columns, from, task, start, adds);
}
static void multiply_32_wide(const struct panel *p, int64_t columns, int64_t from, const struct panel_task *task,
                             const floats start[2], bool adds) {
  multiply(32, true, p, columns, from, task, start, adds);
}
static void multiply_16(const struct panel *p, int64_t columns, int64_t from, const struct panel_task *task,
                        const floats start[2], bool adds) {
  multiply(16, false, p, columns, from, task, start, adds);
}

/// `columns` columns of a panel whose rows begin at x.
static inline INLINED void unpack_all(enum nabla_block_type type, const uint8_t *x, int64_t stride, int64_t columns,
                                      struct panel *p) {
  const int64_t blocks = columns / block_format(type).size;
  for (int v = 0; v < 2; v++)
    for (int64_t b = 0; b < blocks; b++) unpack(type, x + v * WIDTH * stride, stride, b, p, v);
}

#define UNPACK(TYPE)                                                                                         \
  static void unpack_##TYPE(const uint8_t *x, int64_t stride, int64_t columns, struct panel *p) {           \
    unpack_all(TYPE, x, stride, columns, p);                                                                \
  }
FOR_EACH_BLOCK_TYPE(UNPACK)

static void unpack_panel(enum nabla_block_type type, const uint8_t *x, int64_t stride, int64_t columns,
                         struct panel *p) {
  switch (type) {
#define CASE(TYPE) \
  case TYPE: unpack_##TYPE(x, stride, columns, p); break;
    FOR_EACH_BLOCK_TYPE(CASE)
  }
}

static void run(const struct panel_task *task) {
  const struct block_format format = block_format(task->type);
  const int64_t columns = task->x.columns, parts = (columns + CHUNK - 1) / CHUNK;
  // Parts of about the same size, in whole blocks.
  int64_t part = ((columns + parts - 1) / parts + format.size - 1) / format.size * format.size;
  if (part > CHUNK) part = CHUNK / format.size * format.size;
  struct panel p;
  uint8_t rest[HEIGHT * CHUNK / 32 * sizeof(struct q8_0)];
  floats start[2] = {{0}, {0}};
  if (task->bias) memcpy(start, task->bias, (size_t)task->count * sizeof(float));
  for (int64_t from = 0; from < columns; from += part) {
    const int64_t n = columns - from < part ? columns - from : part, bytes = n / format.size * format.bytes;
    const uint8_t *x = task->blocks + from / format.size * format.bytes;
    int64_t stride = task->rowBytes;
    if (task->count < HEIGHT) {
      // Too few rows for a panel: copied beside zeros.
      memset(rest, 0, (size_t)(HEIGHT * bytes));
      for (int64_t i = 0; i < task->count; i++) memcpy(rest + i * bytes, x + i * stride, (size_t)bytes);
      x = rest;
      stride = bytes;
    }
    unpack_panel(task->type, x, stride, n, &p);
    (format.group == 16 ? multiply_16 : task->type == NABLA_Q8_0 ? multiply_32_wide : multiply_32)(
        &p, n, from, task, start, task->accumulate || from > 0);
    start[0] = start[1] = (floats){0};
  }
}

const struct quantized_kernels TABLE = {.height = HEIGHT, .run = run};
