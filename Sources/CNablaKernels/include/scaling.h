// The objective of the parametric scaling law, in float64: a fit calls it a million times.
#pragma once
#include <stdint.h>

/// Points of a fit, each a model of scaled ln N = `sizes`, trained on scaled ln D = `lengths`, to ln L = `losses`.
struct nabla_law_points {
  int64_t count;
  const double *sizes, *lengths, *losses;  // [count]
  const double *weights;                   // [count]
};

/// Σ w Huber_δ(r),  r = ln(p + q + E) - ln L,  p = exp(x₀ - x₁·size), q = exp(x₂ - x₃·length), E = exp x₄, and its
/// gradient. With `stable` the largest exponent is factored out of the sum, so that any finite x is safe.
double nabla_law_objective(const struct nabla_law_points *points, const double *x, double delta, int32_t stable,
                           double *gradient);

/// eˣ and ln x of `count` numbers, as the objective computes them.
void nabla_exp_double(const double *x, int64_t count, double *result);
void nabla_log_double(const double *x, int64_t count, double *result);
