// Vectorized environments, eight per register with AVX-512.
#include "environments.h"
#include "kernel.h"

// The argument reduction below depends on the order of its subtractions.
#pragma clang fp reassociate(off)

/// sin x and cos x for |x| < 10⁶, error below 1 ulp near 0 and 2⁻⁵² absolute: x = n·π/2 + r with |r| ≤ π/4, π/2 in
/// three parts of which the first has 33 bits, so that n times it is exact; then fdlibm's polynomials.
static inline INLINED void sine_cosine(double x, double *sine, double *cosine) {
  double q = __builtin_rint(x * 0.63661977236758134308);
  double r = x - q * 1.57079632673412561417;
  r = r - q * 6.07710050630396597660e-11;
  r = r - q * 2.02226624879595063154e-21;
  double z = r * r;
  double s = 1.58969099521155010221e-10;
  s = s * z - 2.50507602534068634195e-08;
  s = s * z + 2.75573137070700676789e-06;
  s = s * z - 1.98412698298579493134e-04;
  s = s * z + 8.33333333332248946124e-03;
  s = s * z - 1.66666666666666324348e-01;
  s = r + r * z * s;
  double c = -1.13596475577881948265e-11;
  c = c * z + 2.08757232129817482790e-09;
  c = c * z - 2.75573143513906633035e-07;
  c = c * z + 2.48015872894767294178e-05;
  c = c * z - 1.38888888888741095749e-03;
  c = c * z + 4.16666666666666019037e-02;
  c = 1.0 - (0.5 * z - z * z * c);
  int32_t n = (int32_t)q;
  *sine = (n & 1 ? c : s) * (n & 2 ? -1.0 : 1.0);
  *cosine = (n & 1 ? s : c) * ((n + 1) & 2 ? -1.0 : 1.0);
}

// Florian (2007), "Correct equations for the dynamics of the cart-pole system", without friction, in the order in which
// Gymnasium evaluates them, stepped by explicit Euler.
DISPATCHED(void, nabla_cartpole_step,
           (int64_t first, int64_t count, int64_t stride, double *state, const int32_t *actions, float *observations,
            bool *terminated),
           (first, count, stride, state, actions, observations, terminated)) {
  const double gravity = 9.8, poleMass = 0.1, totalMass = 1.1, halfLength = 0.5, poleMassLength = 0.05;
  const double force = 10.0, tau = 0.02, positionLimit = 2.4, angleLimit = 12 * 2 * 3.14159265358979323846 / 360;
  double *xs = state + first, *speeds = xs + stride, *angles = speeds + stride, *spins = angles + stride;
  const int32_t *pushes = actions + first;
  float *rows = observations + 4 * first;
  bool *ended = terminated + first;
// No two of these overlap: without this pragma, the compiler would check that at run time.
#pragma clang loop vectorize(assume_safety)
  for (int64_t i = 0; i < count; i++) {
    double x = xs[i], speed = speeds[i], angle = angles[i], spin = spins[i];
    double sine, cosine;
    sine_cosine(angle, &sine, &cosine);
    double push = pushes[i] == 1 ? force : -force;
    double shared = (push + poleMassLength * (spin * spin) * sine) / totalMass;
    double spinRate = (gravity * sine - cosine * shared) /
                      (halfLength * (4.0 / 3.0 - poleMass * (cosine * cosine) / totalMass));
    double speedRate = shared - poleMassLength * spinRate * cosine / totalMass;
    x = x + tau * speed;
    speed = speed + tau * speedRate;
    angle = angle + tau * spin;
    spin = spin + tau * spinRate;
    xs[i] = x, speeds[i] = speed, angles[i] = angle, spins[i] = spin;
    rows[4 * i] = (float)x, rows[4 * i + 1] = (float)speed;
    rows[4 * i + 2] = (float)angle, rows[4 * i + 3] = (float)spin;
    ended[i] = (x < -positionLimit) | (x > positionLimit) | (angle < -angleLimit) | (angle > angleLimit);
  }
}

DISPATCHED(int64_t, nabla_advance_episodes,
           (int64_t n, int32_t limit, const float *rewards, const bool *terminated, bool *truncated, double *returns,
            int32_t *lengths, int64_t *bad),
           (n, limit, rewards, terminated, truncated, returns, lengths, bad)) {
  int32_t ended = 0, unusable = 0;
  for (int64_t i = 0; i < n; i++) {
    int32_t length = lengths[i] + 1;
    lengths[i] = length;
    returns[i] += (double)rewards[i];
    bool cut = truncated[i] | (length >= limit);
    truncated[i] = cut;
    ended += terminated[i] | cut;
    unusable += !(fabsf(rewards[i]) < INFINITY);
  }
  *bad = unusable;
  return ended;
}
