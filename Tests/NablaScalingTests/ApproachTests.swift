import Foundation
import Testing

import NablaScaling

@Suite struct ApproachTests {
  @Test func linesThroughPoints() {
    let x = [1.0, 2, 3, 4, 10]
    let exact = Line.leastSquares(x, x.map { 3 - 2 * $0 })
    #expect(abs(exact.slope + 2) < 1e-12 && abs(exact.intercept - 3) < 1e-12)
    // numpy.polyfit([1, 2, 3, 4, 10], [1, 3, 2, 5, 4], 1)
    let fitted = Line.leastSquares(x, [1, 3, 2, 5, 4])
    #expect(abs(fitted.slope - 0.26) < 1e-12 && abs(fitted.intercept - 1.96) < 1e-12)
    var y = x.map { 3 - 2 * $0 }
    y[2] = 100
    #expect(abs(Line.robust(x, y).slope + 2) < 1e-12)
    #expect(abs(Line.leastSquares(x, y).slope + 2) > 0.5)
  }

  @Test func kaplanLinesOfPowerLaws() throws {
    let points = (0..<12).map { i in
      let n = pow(10, 6 + Double(i) / 3)
      return ScalingPoint(parameters: n, tokens: 20 * n, loss: pow(8.8e13 / n, 0.076))
    }
    let fit = try KaplanFit(points)
    #expect(abs(fit.parameters.exponent + 0.076) < 1e-10)
    #expect(abs(fit.parameters.coefficient / pow(8.8e13, 0.076) - 1) < 1e-10)
    #expect(abs(fit.compute.exponent + 0.038) < 1e-10 && abs(fit.tokens.robustLine.slope + 0.076) < 1e-10)
  }

  /// Runs of one budget, whose 6ND differs by rounding errors.
  @Test func oneBudgetIsNoLine() throws {
    let runs = [
      (44e6, 3.40), (74e6, 3.30), (117e6, 3.24), (196e6, 3.20), (278e6, 3.18), (425e6, 3.21), (632e6, 3.27),
    ]
    let table = try PointTable("N,C,loss\n" + runs.map { "\($0.0),1e18,\($0.1)\n" }.joined(), file: "runs.csv")
    #expect(Set(table.points.map(\.compute)).count > 1)
    #expect {
      try KaplanFit(table.points)
    } throws: {
      if case .constant(let name, _) = ($0 as? PointError)?.kind { name.contains("compute") } else { false }
    }
  }

  @Test func frontierDropsBeatenRuns() {
    let points = [(1.0, 5.0), (2, 4), (3, 4.5), (4, 3), (5, 3)].map {
      ScalingPoint(parameters: $0.0, tokens: 1, loss: $0.1)
    }
    #expect(KaplanFit.frontier(points, \.parameters).map(\.parameters) == [1, 2, 4])
  }

  /// Curves of many sizes: the envelope follows the true path.
  @Test func envelopeOfFixedSizes() throws {
    let law = Chinchilla.besiroglu
    let points = (0..<25).flatMap { i in
      (0..<25).map { j in
        let (n, d) = (pow(10, 7 + Double(i) / 8), pow(10, 8.5 + Double(j) / 8))
        return ScalingPoint(parameters: n, tokens: d, loss: law.loss(parameters: n, tokens: d))
      }
    }
    let fit = try EnvelopeFit(points)
    #expect(fit.curves.count == 25)
    // The ends have no larger or smaller sizes to choose.
    let inner = fit.envelope.filter { (1e18...1e20).contains($0.compute) }
    let line = Line.leastSquares(inner.map { log($0.compute) }, inner.map { log($0.parameters) })
    #expect(abs(line.slope - law.parameterExponent) < 0.02)
    #expect(abs(exp(line(log(1e19))) / law.optimalAllocation(compute: 1e19).parameters - 1) < 0.05)
    #expect(inner.allSatisfy { abs($0.loss / law.optimalLoss(compute: $0.compute) - 1) < 2e-3 })
  }

  @Test func isoFLOPParabolas() throws {
    let law = Chinchilla.besiroglu
    let fit = try IsoFLOPFit(syntheticPoints(law))
    #expect(fit.curves.count == 8 && fit.curves.allSatisfy(\.isBracketed))
    #expect(abs(fit.parameters.exponent - law.parameterExponent) < 1e-3)
    #expect(abs(fit.tokens.exponent - law.tokenExponent) < 1e-3)
  }

  /// Where the curve is a parabola in log N the fit is exact: also with sizes that are not spaced evenly.
  @Test func parabolaIsExact() throws {
    let sizes = [1e8, 2e8, 2.5e8, 7e8, 3e9]
    let points = sizes.map { n in
      let x = log(n / 6e8)
      return ScalingPoint(parameters: n, tokens: 1e18 / n, loss: 2.5 + 0.03 * x * x)
    }
    let curve = try #require(IsoFLOPFit.Curve(points))
    #expect(abs(curve.optimalParameters! / 6e8 - 1) < 1e-9)
    #expect(abs(curve.loss(parameters: 1e9) - (2.5 + 0.03 * pow(log(1e9 / 6e8), 2))) < 1e-12)
  }

  /// With α ≠ β the lowest point of a wide parabola is off, by the same factor at all budgets.
  @Test func biasOfTheParabola() {
    let law = Chinchilla.hoffmann
    let wide = IsoFLOPFit.parabolaBias(of: law, compute: 1e21, width: 16)
    #expect(wide > 1.04 && wide < 1.07)
    #expect(abs(IsoFLOPFit.parabolaBias(of: law, compute: 1e19, width: 16) - wide) < 1e-9)
    #expect(abs(IsoFLOPFit.parabolaBias(of: law, compute: 1e21, width: 1.5) - 1) < 2e-3)
    let equal = Chinchilla(E: 1.7, A: 400, B: 800, alpha: 0.3, beta: 0.3)
    #expect(abs(IsoFLOPFit.parabolaBias(of: equal, compute: 1e21, width: 16) - 1) < 1e-9)
  }

  /// Hoffmann et al. find 0.50 and 0.49 for approaches 1 and 2.
  @Test func publishedPointsByOtherApproaches() throws {
    let points = try publishedPoints()
    #expect(abs(try EnvelopeFit(points).parameters.exponent - 0.50) < 0.06)
    #expect(abs(try IsoFLOPFit(points).parameters.exponent - 0.49) < 0.03)
  }

  private func repeatedPoints() -> [ScalingPoint] {
    let law = DataConstrained.muennighoff
    return [2e8, 1e9, 4e9].flatMap { unique in
      [1.0, 2, 5, 12, 30, 80].flatMap { epochs in
        [3e7, 2e8, 9e8].map { n in
          ScalingPoint(
            parameters: n, tokens: epochs * unique,
            loss: law.loss(parameters: n, tokens: epochs * unique, uniqueTokens: unique), uniqueTokens: unique)
        }
      }
    }
  }

  @Test func repeatedTextGivesTheDecaysBack() throws {
    let fit = try DataConstrainedFit(repeatedPoints(), base: DataConstrained.muennighoff.base, samples: 10)
    #expect(abs(fit.law.tokenDecay / 15.3878 - 1) < 1e-4 && abs(fit.law.parameterDecay / 5.3097 - 1) < 1e-4)
    #expect(throws: PointError(.noUniqueTokens)) {
      try DataConstrainedFit(syntheticPoints(.besiroglu), base: .besiroglu)
    }
  }

  @Test func gradientOfTheDecays() {
    let objective = DataConstrainedObjective(repeatedPoints(), base: DataConstrained.muennighoff.base)
    var (gradient, unused) = ([0.0, 0.0], [0.0, 0.0])
    _ = objective([1.5, 2.0], &gradient)
    for i in 0..<2 {
      var (up, down) = ([1.5, 2.0], [1.5, 2.0])
      up[i] += 1e-6
      down[i] -= 1e-6
      let difference = (objective(up, &unused) - objective(down, &unused)) / 2e-6
      #expect(abs(difference - gradient[i]) < 1e-5 * abs(gradient[0]) + 1e-9)
    }
  }
}
