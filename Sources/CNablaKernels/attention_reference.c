// Attention as the textbook writes it, in float64.
#include "attention_problem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double element(const problem_t *p, view_t x, int64_t b, int64_t t, int64_t h, int64_t d) {
  const int64_t at = b * x.batchStride + t * x.timeStride + h * x.headStride + d;
  if (p->dtype == NABLA_ATTENTION_FLOAT32) return ((const float *)x.data)[at];
  const uint32_t bits = (uint32_t)((const uint16_t *)x.data)[at] << 16;
  float y;
  memcpy(&y, &bits, sizeof y);
  return y;
}

static bool visible(const problem_t *p, int64_t b, int64_t i, int64_t j) {
  const int64_t position = i + p->keyLength - p->queryLength;
  if (p->causal && j > position) return false;
  const int64_t row = b * p->queryLength + i;
  if (p->segmentStarts && (j < p->segmentStarts[row] || j >= p->segmentEnds[row])) return false;
  if (p->gapStarts && j >= p->gapStarts[row] && j < p->gapEnds[row]) return false;
  if (p->window > 0 && position - j >= p->window) return false;
  return !p->keyLengths || j < p->keyLengths[b];
}

// w[j]: the weights of one query over the keys. Returns the log-sum-exp.
static double weightsOfQuery(const problem_t *p, view_t q, view_t k, int64_t b, int64_t h, int64_t i, double *w) {
  const int64_t g = h / (p->queryHeadCount / p->keyValueHeadCount);
  double highest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < p->keyLength; j++) {
    w[j] = -INFINITY;
    if (!visible(p, b, i, j)) continue;
    double s = 0;
    for (int64_t d = 0; d < p->headSize; d++) s += element(p, q, b, i, h, d) * element(p, k, b, j, g, d);
    w[j] = s * p->scale;
    if (p->bias) w[j] += p->bias[b * p->biasBatchStride + h * p->biasHeadStride + i * p->biasQueryStride + j];
    highest = fmax(highest, w[j]);
  }
  for (int64_t j = 0; j < p->keyLength; j++) {
    w[j] = highest == -INFINITY ? 0 : exp(w[j] - highest);
    sum += w[j];
  }
  for (int64_t j = 0; j < p->keyLength; j++) w[j] = sum == 0 ? 0 : w[j] / sum;
  return sum == 0 ? -INFINITY : highest + log(sum);
}

static double *scratch(int64_t count) {
  double *x = malloc((size_t)(count > 0 ? count : 1) * sizeof(double));
  if (!x) abort();
  return x;
}

void nabla_attention_reference(
    const struct nabla_attention *p, view_t q, view_t k, view_t v, double *out, double *weights, double *lse) {
  double *own = weights ? NULL : scratch(p->keyLength);
  for (int64_t b = 0; b < p->batch; b++)
    for (int64_t h = 0; h < p->queryHeadCount; h++)
      for (int64_t i = 0; i < p->queryLength; i++) {
        const int64_t g = h / (p->queryHeadCount / p->keyValueHeadCount);
        const int64_t row = (b * p->queryHeadCount + h) * p->queryLength + i;
        double *w = weights ? weights + row * p->keyLength : own;
        const double logSumExp = weightsOfQuery(p, q, k, b, h, i, w);
        if (lse) lse[row] = logSumExp;
        for (int64_t d = 0; d < p->headSize; d++) {
          double sum = 0;
          for (int64_t j = 0; j < p->keyLength; j++)
            if (w[j] != 0) sum += w[j] * element(p, v, b, j, g, d);
          out[((b * p->queryLength + i) * p->queryHeadCount + h) * p->headSize + d] = sum;
        }
      }
  free(own);
}

void nabla_attention_reference_backward(
    const struct nabla_attention *p, view_t q, view_t k, view_t v, view_t dout, double *dq, double *dk, double *dv) {
  const int64_t d = p->headSize, kvHeads = p->keyValueHeadCount;
  memset(dq, 0, (size_t)(p->batch * (int64_t)p->queryLength * p->queryHeadCount * d) * sizeof(double));
  memset(dk, 0, (size_t)(p->batch * (int64_t)p->keyLength * kvHeads * d) * sizeof(double));
  memset(dv, 0, (size_t)(p->batch * (int64_t)p->keyLength * kvHeads * d) * sizeof(double));
  double *w = scratch(p->keyLength), *dw = scratch(p->keyLength);
  for (int64_t b = 0; b < p->batch; b++)
    for (int64_t h = 0; h < p->queryHeadCount; h++)
      for (int64_t i = 0; i < p->queryLength; i++) {
        const int64_t g = h / (p->queryHeadCount / kvHeads);
        weightsOfQuery(p, q, k, b, h, i, w);
        double mean = 0;  // Σ_j w_j dw_j, the softmax's share of every score
        for (int64_t j = 0; j < p->keyLength; j++) {
          dw[j] = 0;
          if (w[j] == 0) continue;
          for (int64_t c = 0; c < d; c++) {
            const double gradient = element(p, dout, b, i, h, c);
            dw[j] += gradient * element(p, v, b, j, g, c);
            dv[((b * p->keyLength + j) * kvHeads + g) * d + c] += w[j] * gradient;
          }
          mean += w[j] * dw[j];
        }
        for (int64_t j = 0; j < p->keyLength; j++) {
          if (w[j] == 0) continue;
          const double ds = w[j] * (dw[j] - mean) * p->scale;
          for (int64_t c = 0; c < d; c++) {
            dq[((b * p->queryLength + i) * p->queryHeadCount + h) * d + c] += ds * element(p, k, b, j, g, c);
            dk[((b * p->keyLength + j) * kvHeads + g) * d + c] += ds * element(p, q, b, i, h, c);
          }
        }
      }
  free(w);
  free(dw);
}
