import Foundation
import Testing

import NablaScaling

@Suite struct LBFGSTests {
  @Test(arguments: [2, 6, 20])
  func rosenbrock(dimension: Int) {
    let minimum = LBFGS().minimize(from: (0..<dimension).map { $0 % 2 == 0 ? -1.2 : 1 }) { x, gradient in
      for i in 0..<dimension { gradient[i] = 0 }
      var value = 0.0
      for i in 0..<dimension - 1 {
        let (a, b) = (x[i + 1] - x[i] * x[i], 1 - x[i])
        value += 100 * a * a + b * b
        gradient[i] += -400 * a * x[i] - 2 * b
        gradient[i + 1] += 200 * a
      }
      return value
    }
    #expect(minimum.hasConverged)
    // In six dimensions and more there is a second, local minimum near (-1, 1, …, 1) of value about 4.
    if dimension == 2 { #expect(minimum.point.allSatisfy { abs($0 - 1) < 1e-6 }) }
    #expect(minimum.value < 1e-12 || abs(minimum.value - 3.98) < 0.05)
    #expect(minimum.iterations < 250)
  }

  @Test func quadraticOfBadCondition() {
    let scales = [1.0, 1e2, 1e4, 1e6]
    let minimum = LBFGS().minimize(from: [1, 1, 1, 1]) { x, gradient in
      var value = 0.0
      for i in 0..<4 {
        let distance = x[i] - Double(i)
        value += scales[i] * distance * distance
        gradient[i] = 2 * scales[i] * distance
      }
      return value
    }
    #expect((0..<4).allSatisfy { abs(minimum.point[$0] - Double($0)) < 1e-5 })
  }

  /// Beale's function, whose minimum is at (3, 0.5).
  @Test func beale() {
    let minimum = LBFGS().minimize(from: [1, 1]) { x, gradient in
      let (a, b) = (x[0], x[1])
      var value = 0.0
      (gradient[0], gradient[1]) = (0, 0)
      for (power, constant) in [(1.0, 1.5), (2, 2.25), (3, 2.625)] {
        let r = constant - a + a * pow(b, power)
        value += r * r
        gradient[0] += 2 * r * (pow(b, power) - 1)
        gradient[1] += 2 * r * a * power * pow(b, power - 1)
      }
      return value
    }
    #expect(abs(minimum.point[0] - 3) < 1e-6 && abs(minimum.point[1] - 0.5) < 1e-6)
  }

  /// A sum of absolute values has a kink at its minimum.
  @Test func kink() {
    let minimum = LBFGS().minimize(from: [3, -2]) { x, gradient in
      gradient[0] = x[0] > 1 ? 1 : -1
      gradient[1] = x[1] > 0.5 ? 5 : -5
      return abs(x[0] - 1) + 5 * abs(x[1] - 0.5)
    }
    #expect(minimum.value < 1e-6)
  }

  /// Where the value is not finite the step is too long.
  @Test func outOfBounds() {
    let minimum = LBFGS().minimize(from: [5]) { x, gradient in
      guard x[0] > 0 else { return .infinity }
      gradient[0] = 1 - 1 / x[0]
      return x[0] - log(x[0])
    }
    #expect(abs(minimum.point[0] - 1) < 1e-6)
  }
}
