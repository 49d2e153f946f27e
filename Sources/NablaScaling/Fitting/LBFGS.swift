/// The limited-memory quasi-Newton method of Liu and Nocedal (1989): each step is along -H g, where H approximates the
/// inverse Hessian by the last few differences of points and gradients.
///
/// The step length comes from bisection for the weak Wolfe conditions, which Lewis and Overton (2013) show to work
/// for non-smooth functions too: the Huber loss of a fit is nearly a sum of absolute values.
public struct LBFGS: Sendable {
  /// Differences kept.
  public var history = 8
  public var maximumIterations = 500
  /// Stops when no component of the gradient is larger.
  public var gradientTolerance = 1e-10
  /// Stops when a step lowers the value by less than this fraction.
  public var relativeTolerance = 1e-13

  public init() {}

  public struct Minimum: Sendable {
    public var point: [Double]
    public var value: Double
    public var iterations: Int
    /// Calls of the function.
    public var evaluations: Int
    /// Whether it stopped by a tolerance, not the limit of iterations.
    public var hasConverged: Bool
  }

  /// - Parameters:
  ///   - start: A point where the function is finite.
  ///   - function: Gives the value at a point and writes its gradient. A non-finite value means that the point is out
  ///     of bounds; the start must not be.
  public func minimize(from start: [Double], _ function: ([Double], inout [Double]) -> Double) -> Minimum {
    let n = start.count
    var (point, gradient) = (start, [Double](repeating: 0, count: n))
    var value = function(point, &gradient)
    var evaluations = 1
    var (trial, trialGradient) = (point, gradient)
    var direction = gradient
    var memory = Memory(size: n, limit: history)
    // The first step has no curvature to scale it: its length is 1, or that of the gradient if that is shorter.
    var step = 1 / max(1, norm(gradient))

    for iteration in 0..<maximumIterations {
      if !value.isFinite || gradient.allSatisfy({ abs($0) <= gradientTolerance }) {
        return Minimum(
          point: point, value: value, iterations: iteration, evaluations: evaluations, hasConverged: value.isFinite)
      }
      memory.direction(for: gradient, into: &direction)
      var slope = dot(direction, gradient)
      if slope >= 0 {  // only rounding can do this: start again from the gradient
        memory.removeAll()
        for i in 0..<n { direction[i] = -gradient[i] }
        slope = -dot(gradient, gradient)
      }

      // Between `short`, from which the function still falls too steeply, and `long`, where it has not fallen enough.
      var (short, long) = (0.0, Double.infinity)
      var found = false
      var trialValue = value
      for _ in 0..<50 {
        for i in 0..<n { trial[i] = point[i] + step * direction[i] }
        trialValue = function(trial, &trialGradient)
        evaluations += 1
        if !(trialValue <= value + 1e-4 * step * slope) {
          long = step
        } else if dot(direction, trialGradient) < 0.9 * slope {
          short = step
        } else {
          found = true
          break
        }
        step = long.isFinite ? (short + long) / 2 : 2 * short
      }
      guard found || trialValue < value else {
        // No step lowers the value: it is a minimum to the precision of the arithmetic.
        return Minimum(
          point: point, value: value, iterations: iteration, evaluations: evaluations, hasConverged: true)
      }
      memory.add(from: point, gradient, to: trial, trialGradient)
      let decrease = value - trialValue
      swap(&point, &trial)
      swap(&gradient, &trialGradient)
      value = trialValue
      step = 1
      if decrease <= relativeTolerance * abs(value) {
        return Minimum(
          point: point, value: value, iterations: iteration + 1, evaluations: evaluations, hasConverged: true)
      }
    }
    return Minimum(
      point: point, value: value, iterations: maximumIterations, evaluations: evaluations, hasConverged: false)
  }
}

/// The last differences, oldest first from `start`, each a row of a flat array.
private struct Memory {
  let size: Int
  let limit: Int
  private var count = 0
  private var next = 0
  private var points: [Double]
  private var gradients: [Double]
  private var inverses: [Double]
  private var factors: [Double]
  private var scale = 1.0

  init(size: Int, limit: Int) {
    self.size = size
    self.limit = limit
    points = [Double](repeating: 0, count: size * limit)
    gradients = points
    inverses = [Double](repeating: 0, count: limit)
    factors = inverses
  }

  mutating func removeAll() { (count, next, scale) = (0, 0, 1) }

  mutating func add(from x: [Double], _ g: [Double], to y: [Double], _ h: [Double]) {
    let row = next * size
    var (curvature, square) = (0.0, 0.0)
    for i in 0..<size {
      let (s, t) = (y[i] - x[i], h[i] - g[i])
      points[row + i] = s
      gradients[row + i] = t
      curvature += s * t
      square += t * t
    }
    // Without positive curvature H would not stay positive definite.
    guard curvature > 1e-300, curvature.isFinite else { return }
    inverses[next] = 1 / curvature
    scale = curvature / square
    next = (next + 1) % limit
    count = min(count + 1, limit)
  }

  /// -H g by the two-loop recursion (Nocedal and Wright, algorithm 7.4).
  mutating func direction(for gradient: [Double], into result: inout [Double]) {
    for i in 0..<size { result[i] = -gradient[i] }
    for age in 0..<count {
      let k = (next - 1 - age + 2 * limit) % limit
      var factor = 0.0
      for i in 0..<size { factor += points[k * size + i] * result[i] }
      factor *= inverses[k]
      factors[k] = factor
      for i in 0..<size { result[i] -= factor * gradients[k * size + i] }
    }
    for i in 0..<size { result[i] *= scale }
    for age in (0..<count).reversed() {
      let k = (next - 1 - age + 2 * limit) % limit
      var factor = 0.0
      for i in 0..<size { factor += gradients[k * size + i] * result[i] }
      factor = factors[k] - factor * inverses[k]
      for i in 0..<size { result[i] += factor * points[k * size + i] }
    }
  }
}

private func dot(_ x: [Double], _ y: [Double]) -> Double {
  var sum = 0.0
  for i in 0..<x.count { sum += x[i] * y[i] }
  return sum
}

private func norm(_ x: [Double]) -> Double { dot(x, x).squareRoot() }
