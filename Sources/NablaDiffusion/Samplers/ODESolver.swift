import Glibc
import NablaTensor

/// How an ordinary differential equation dy/dt = f(t, y) is integrated from one time to another, forward or backward.
public enum ODESolver: Sendable, Hashable {
  /// First order, one evaluation per step.
  case euler
  /// Second order, two evaluations.
  case heun
  /// Fourth order, four evaluations: the classical Runge-Kutta method.
  case rungeKutta4
  /// Fifth order with an error estimate of fourth (Dormand & Prince 1980), its steps chosen so that the estimate stays
  /// below the tolerances: |error| ≤ absolute + relative·|y| in root mean square.
  case adaptive(relative: Double = 1e-5, absolute: Double = 1e-5)
}

extension ODESolver {
  /// y: tensors that change together.
  public typealias Slope = (_ time: Double, _ y: [Tensor]) -> [Tensor]

  /// Integrates the equation through these times.
  ///
  /// - Parameters:
  ///   - y: the state at the first time: tensors that are integrated together.
  ///   - times: the first, the last, and those in between at which the state is wanted; falling ones integrate
  ///     backward.
  ///   - slope: dy/dt.
  ///   - observe: called at each of the times but the first.
  /// - Returns: y at the last time.
  public func solve(
    _ y: [Tensor], through times: [Double], _ slope: Slope, observe: (_ index: Int, _ y: [Tensor]) -> Void = { _, _ in }
  ) -> [Tensor] {
    var y = y
    var suggested: Double?
    for (i, (from, to)) in zip(times, times.dropFirst()).enumerated() {
      switch self {
      case .euler: y = y.adding([(to - from, slope(from, y))])
      case .heun:
        let first = slope(from, y)
        let second = slope(to, y.adding([(to - from, first)]))
        y = y.adding([((to - from) / 2, first), ((to - from) / 2, second)])
      case .rungeKutta4: y = rungeKutta4(y, from, to - from, slope)
      case .adaptive(let relative, let absolute):
        y = adaptive(y, from, to, relative, absolute, step: &suggested, slope)
      }
      observe(i, y)
    }
    return y
  }

  private func rungeKutta4(_ y: [Tensor], _ t: Double, _ h: Double, _ slope: Slope) -> [Tensor] {
    let k1 = slope(t, y)
    let k2 = slope(t + h / 2, y.adding([(h / 2, k1)]))
    let k3 = slope(t + h / 2, y.adding([(h / 2, k2)]))
    let k4 = slope(t + h, y.adding([(h, k3)]))
    return y.adding([(h / 6, k1), (h / 3, k2), (h / 3, k3), (h / 6, k4)])
  }

  /// From one time to another in as many steps as the tolerances require. `step`: the initial step size, and then the
  /// one to continue with.
  private func adaptive(
    _ y: [Tensor], _ from: Double, _ to: Double, _ relative: Double, _ absolute: Double, step: inout Double?,
    _ slope: Slope
  ) -> [Tensor] {
    var (t, y) = (from, y)
    var h = min(abs(step ?? (to - from) / 20), abs(to - from))
    let direction: Double = to < from ? -1 : 1
    while abs(to - t) > 1e-12 * abs(to - from) {
      let length = min(h, abs(to - t))
      let (next, error) = dormandPrince(y, t, direction * length, slope)
      let size = normalizedError(error, y, next, relative, absolute)
      // At the finest step the estimate is dominated by float32 rounding, not by the method.
      let isFinest = length <= 1e-6 * abs(to - from)
      if size <= 1 || isFinest {
        t += direction * length
        y = next
      }
      precondition(!size.isNaN || !isFinest, "ODESolver: the solution is non-finite at time \(t)")
      h = length * (size.isNaN ? 0.2 : min(max(0.9 * pow(max(size, 1e-10), -0.2), 0.2), 5))
      h = max(h, 1e-6 * abs(to - from))
    }
    step = h
    return y
  }

  private func dormandPrince(
    _ y: [Tensor], _ t: Double, _ h: Double, _ slope: Slope
  ) -> (next: [Tensor], error: [Tensor]) {
    var slopes: [[Tensor]] = []
    func combined(_ weights: [Double]) -> [(Double, [Tensor])] { zip(weights, slopes).map { (h * $0, $1) } }
    for (time, weights) in Self.stages { slopes.append(slope(t + time * h, y.adding(combined(weights)))) }
    let next = y.adding(combined(Self.fifthOrder))
    slopes.append(slope(t + h, next))
    let error = zip(Self.fifthOrder + [0], Self.fourthOrder).map { $0 - $1 }
    return (next, y.map { 0 * $0 }.adding(combined(error)))
  }

  private func normalizedError(
    _ error: [Tensor], _ y: [Tensor], _ next: [Tensor], _ relative: Double, _ absolute: Double
  ) -> Double {
    var (sum, count) = (0.0, 0)
    for ((error, y), next) in zip(zip(error, y), next) {
      let scale = relative * Tensor.maximum(y.abs(), next.abs()) + Tensor(Float(absolute))
      sum += Double((error / scale).square().sum().item())
      count += error.count
    }
    return (sum / Double(max(count, 1))).squareRoot()
  }

  // Dormand & Prince 1980, table 2.
  private static let stages: [(time: Double, weights: [Double])] = [
    (0, []),
    (1 / 5, [1 / 5]),
    (3 / 10, [3 / 40, 9 / 40]),
    (4 / 5, [44 / 45, -56 / 15, 32 / 9]),
    (8 / 9, [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]),
    (1, [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]),
  ]
  private static let fifthOrder: [Double] = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]
  private static let fourthOrder: [Double] = [
    5179 / 57600, 0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40,
  ]
}

extension [Tensor] {
  /// y + Σ factor·slope.
  fileprivate func adding(_ terms: [(factor: Double, slope: [Tensor])]) -> [Tensor] {
    enumerated().map { i, y in
      terms.reduce(y) { $1.factor == 0 ? $0 : $0 + $1.factor * $1.slope[i] }
    }
  }
}
