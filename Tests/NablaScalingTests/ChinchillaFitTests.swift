import CNablaKernels
import Foundation
import NablaTensor
import Testing

import NablaScaling

@Suite struct ChinchillaFitTests {
  /// Far enough apart to find the valley from somewhere else.
  private let smallGrid = StartGrid(
    logA: [5, 15], logB: [5, 15], logE: [0, 1], alpha: [0.5, 1], beta: [0.5, 1])

  /// The formula as the paper has it, in double precision with the C library's functions.
  private func naive(_ points: [ScalingPoint], a: Double, b: Double, e: Double, alpha: Double, beta: Double) -> Double {
    points.reduce(0) { sum, point in
      let exponents = [a - alpha * log(point.parameters), b - beta * log(point.tokens), e]
      let largest = exponents.max()!
      let r = largest + log(exponents.reduce(0) { $0 + exp($1 - largest) }) - log(point.loss)
      return sum + (abs(r) <= 1e-3 ? r * r / 2 : 1e-3 * (abs(r) - 0.5e-3))
    }
  }

  /// The last two are where the exponentials of a plain sum overflow or vanish.
  private static let places: [[Double]] = [
    [6, 7, 0.6, 0.35, 0.37], [25, 25, 1, 2, 2], [0, 0, -1, 0, 0], [10, 3, 0.2, 0.6, 0.1], [900, 3, 0.2, 0.6, 0.1],
    [5, 5, -800, 40, 41],
  ]

  @Test(arguments: places)
  func objectiveEqualsTheFormula(place: [Double]) {
    // 63 points: the last vector is not full.
    let points = Array(syntheticPoints(.besiroglu, noise: 0.01).dropLast())
    let objective = ChinchillaObjective(points)
    var gradient = [Double](repeating: 0, count: 5)
    let x = objective.coordinates(a: place[0], b: place[1], e: place[2], alpha: place[3], beta: place[4])
    let value = objective(x, &gradient)
    let expected = naive(points, a: place[0], b: place[1], e: place[2], alpha: place[3], beta: place[4])
    #expect(abs(value - expected) <= 1e-12 * max(1, abs(expected)))
  }

  @Test(arguments: places)
  func gradientEqualsDifferences(place: [Double]) {
    let points = Array(syntheticPoints(.besiroglu, noise: 0.01).dropLast())
    let objective = ChinchillaObjective(points)
    var (gradient, unused) = ([Double](repeating: 0, count: 5), [Double](repeating: 0, count: 5))
    let x = objective.coordinates(a: place[0], b: place[1], e: place[2], alpha: place[3], beta: place[4])
    _ = objective(x, &gradient)
    let scale = gradient.map { abs($0) }.max()!
    for i in 0..<5 {
      let step = 1e-6
      var (up, down) = (x, x)
      up[i] += step
      down[i] -= step
      let difference = (objective(up, &unused) - objective(down, &unused)) / (2 * step)
      // A kink between the two points makes a difference of the order of δ times the step.
      #expect(abs(difference - gradient[i]) <= 2e-5 * scale, "component \(i) at \(place)")
    }
  }

  /// Both ways to sum the exponentials, where both may be used, and any number of points: the last vector is not full.
  @Test(arguments: [1, 2, 7, 8, 9, 63])
  func kernelSumsBothWays(count: Int) {
    let points = Array(syntheticPoints(.besiroglu, noise: 0.01).prefix(count))
    let u = points.map { log($0.parameters) - 19 }
    let v = points.map { log($0.tokens) - 22 }
    let l = points.map { log($0.loss) }
    let w = points.indices.map { Double($0 % 3) }
    let x = [-0.6, 0.3, -0.4, 0.25, 0.6]
    let found = [0, 1].map { stable -> [Double] in
      var gradient = [Double](repeating: 0, count: 5)
      let value = (u + v + l + w).withUnsafeBufferPointer { all -> Double in
        let base = all.baseAddress!
        var input = nabla_law_points(
          count: Int64(count), sizes: base, lengths: base + count, losses: base + 2 * count, weights: base + 3 * count)
        return nabla_law_objective(&input, x, 1e-3, Int32(stable), &gradient)
      }
      return [value] + gradient
    }
    var expected = [Double](repeating: 0, count: 6)
    for i in 0..<count {
      let (p, q, e) = (exp(x[0] - x[1] * u[i]), exp(x[2] - x[3] * v[i]), exp(x[4]))
      let r = log(p + q + e) - l[i]
      let clipped = min(max(r, -1e-3), 1e-3)
      let share = w[i] * clipped / (p + q + e)
      let terms = [
        w[i] * clipped * (r - clipped / 2), share * p, -share * p * u[i], share * q, -share * q * v[i], share * e,
      ]
      for k in 0..<6 { expected[k] += terms[k] }
    }
    for k in 0..<6 {
      #expect(abs(found[0][k] - expected[k]) < 1e-14 && abs(found[1][k] - expected[k]) < 1e-14, "\(k)")
    }
  }

  @Test func kernelFunctionsAgainstTheLibrary() {
    let x = (-2_000...2_000).map { Double($0) * 0.3437 }
    var (exponentials, logarithms) = (x, x)
    nabla_exp_double(x, Int64(x.count), &exponentials)
    for (x, found) in zip(x, exponentials) where abs(x) < 690 { #expect(abs(found / exp(x) - 1) < 7e-16) }
    let y = (-2_000...2_000).map { exp(Double($0) * 0.01) } + [1, 2]
    logarithms = y
    nabla_log_double(y, Int64(y.count), &logarithms)
    for (y, found) in zip(y, logarithms) { #expect(abs(found - log(y)) <= 4e-16 * max(1, abs(log(y)))) }
    #expect(logarithms[y.count - 2] == 0)
  }

  @Test func noiselessPointsGiveTheLawBack() throws {
    for law in [Chinchilla.hoffmann, .besiroglu] {
      let fit = try ChinchillaFit(syntheticPoints(law), from: smallGrid)
      for (found, expected) in [
        (fit.law.E, law.E), (fit.law.A, law.A), (fit.law.B, law.B), (fit.law.alpha, law.alpha),
        (fit.law.beta, law.beta),
      ] { #expect(abs(found / expected - 1) < 1e-6) }
      #expect(fit.starts.count == 32)
    }
  }

  /// A run that went wrong moves the fit little.
  @Test func outliersMoveItLittle() throws {
    var points = syntheticPoints(.besiroglu, noise: 0.002)
    let clean = try ChinchillaFit(points, from: StartGrid(.besiroglu)).law
    points[20].loss *= 1.5
    points[41].loss *= 1.3
    let law = try ChinchillaFit(points, from: StartGrid(.besiroglu)).law
    #expect(abs(law.E - clean.E) < 0.02 && abs(law.alpha - clean.alpha) < 0.02)
  }

  /// Besiroglu et al. (2024) report A 482.01 ± 124.58, B 2085.43 ± 1293.23, E 1.8172 ± 0.03, α 0.3478 ± 0.02,
  /// β 0.3658 ± 0.02 for these runs, and reject the constants that Hoffmann et al. print with p < 10⁻¹³⁰.
  @Test func publishedPointsGiveThePublishedFit() throws {
    let fit = try ChinchillaFit(try publishedPoints(), from: smallGrid)
    #expect(fit.points.count == 240)
    #expect(abs(fit.law.A - 482.01) < 124.58 && abs(fit.law.B - 2085.43) < 1293.23)
    #expect(abs(fit.law.E - 1.8172) < 0.005)
    #expect(abs(fit.law.alpha - 0.3478) < 0.005 && abs(fit.law.beta - 0.3658) < 0.005)
    let bootstrap = fit.bootstrap(samples: 300)
    let spread = { (quantity: (Chinchilla) -> Double) in
      let values = bootstrap.laws.map(quantity)
      let mean = values.reduce(0, +) / Double(values.count)
      return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
    }
    #expect((0.01...0.03).contains(spread { $0.alpha }) && (0.01...0.03).contains(spread { $0.beta }))
    #expect((0.015...0.045).contains(spread { $0.E }) && (80...180).contains(spread { $0.A }))
    #expect(fit.compared(with: .besiroglu).log10PValue > -1)
    #expect(fit.compared(with: .hoffmann).log10PValue < -10)
    #expect(fit.compared(with: .hoffmannRounded).log10PValue < -130)
    #expect(bootstrap.interval { $0.parameterExponent }.contains(0.5))
  }

  /// 95 % intervals hold the truth in 90 draws of 100 or more.
  @Test func coverage() throws {
    let law = Chinchilla.besiroglu
    let quantities: [(Chinchilla) -> Double] = [
      { $0.E }, { $0.alpha }, { $0.beta }, { $0.parameterExponent },
      { log($0.optimalAllocation(compute: 1e22).parameters) },
    ]
    var covered = [Int](repeating: 0, count: quantities.count)
    for seed in 0..<100 {
      let points = syntheticPoints(law, noise: 0.005, seed: UInt64(seed))
      let fit = try ChinchillaFit(points, from: StartGrid(.hoffmann))
      let bootstrap = fit.bootstrap(samples: 200, seed: UInt64(seed))
      for (i, quantity) in quantities.enumerated() where bootstrap.interval(quantity).contains(quantity(law)) {
        covered[i] += 1
      }
    }
    #expect(covered.allSatisfy { $0 >= 90 }, "\(covered)")
  }

  @Test func holdOutPredictsTheLargestRuns() throws {
    let points = syntheticPoints(.besiroglu, noise: 0.003)
    let holdOut = try HoldOut(points, leavingOut: 8, from: StartGrid(.hoffmann), samples: 300)
    #expect(
      holdOut.predictions.count == 8 && holdOut.predictions.allSatisfy { $0.point.compute > holdOut.largestCompute })
    #expect(holdOut.meanAbsoluteError < 0.01)
    #expect(holdOut.predictions.count { $0.isInside } >= 6)
  }

  @Test func sameBitsForAnyNumberOfThreads() throws {
    let points = syntheticPoints(.besiroglu, noise: 0.005)
    let count = Threads.count
    defer { Threads.count = count }
    let laws = try [1, 3].map { threads in
      Threads.count = threads
      let fit = try ChinchillaFit(points, from: smallGrid)
      return [fit.law] + fit.bootstrap(samples: 20).laws
    }
    #expect(laws[0] == laws[1])
  }

  @Test func chiSquareTail() {
    // scipy.stats.chi2.sf
    #expect(abs(exp(logChiSquareTail(11.0705, degrees: 5)) - 0.05) < 1e-5)
    #expect(abs(exp(logChiSquareTail(1, degrees: 5)) - 0.9625657732) < 1e-9)
    #expect(abs(logChiSquareTail(83.22735307, degrees: 5) / log(10) - -15.7518137) < 1e-5)
    #expect(logChiSquareTail(0, degrees: 5) == 0)
  }

  /// Three sizes that are close together, of which the smallest is far worse: without some of the runs α grows until A
  /// overflows.
  @Test func refitsThatOverflow() throws {
    let points = [
      (9e7, 1e9, 3.737), (9e7, 4e9, 3.288), (1e8, 1e9, 3.654), (1e8, 4e9, 3.238), (1.1e8, 1e9, 3.680),
      (1.1e8, 4e9, 3.231),
    ].map { ScalingPoint(parameters: $0.0, tokens: $0.1, loss: $0.2) }
    let fit = try ChinchillaFit(points)
    let bootstrap = fit.bootstrap(samples: 1_000)
    #expect(fit.law.hasOptimum && bootstrap.interval { $0.A }.upperBound == .infinity)
    #expect(fit.leavingOneOut().contains { !$0.A.isFinite })
    let law = NamedLaw(name: "", title: "", form: .chinchilla(fit.law), samples: bootstrap.laws)
    #expect(try ScalingReport(law: law, fit: fit, bootstrap: bootstrap).html().contains("Loss and its envelope"))
  }

  @Test func pointsThatDetermineNothing() {
    #expect(throws: PointError.self) { try ChinchillaFit(Array(syntheticPoints(.besiroglu).prefix(5))) }
    let oneSize = (1...8).map { ScalingPoint(parameters: 1e8, tokens: 1e9 * Double($0), loss: 3) }
    #expect(throws: PointError(.constant("number of parameters", value: 1e8))) { try ChinchillaFit(oneSize) }
    let oneLength = (1...8).map { ScalingPoint(parameters: 1e8 * Double($0), tokens: 1e9, loss: 3) }
    #expect(throws: PointError(.constant("number of tokens", value: 1e9))) { try ChinchillaFit(oneLength) }
  }
}
