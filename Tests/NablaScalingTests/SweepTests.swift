import Foundation
import NablaTensor
import Testing

import NablaScaling

@Suite struct SweepTests {
  private let rule = LearningRateRule(learningRate: 2e-3, width: 128)

  private func plan(_ compute: Double) throws(PlanError) -> SweepPlan {
    try SweepPlan(compute: compute, law: Chinchilla.besiroglu, rule: rule, vocabularySize: 256, context: 128)
  }

  @Test func spendsItsComputeOnAGridAndATest() throws {
    let plan = try plan(3e16)
    #expect(plan.runs.count == 20 && abs(plan.compute / 3e16 - 1) < 1e-9)
    let budgets = Set(plan.runs.map { ($0.compute / 1e9).rounded() }).sorted()
    #expect(budgets.count == 4 && zip(budgets, budgets.dropFirst()).allSatisfy { abs($1 / $0 - 2.5) < 1e-3 })
    #expect(abs(plan.test.compute / plan.runs.map(\.compute).max()! - 6) < 1e-6)
    // Each budget holds different sizes, smaller and larger than the law's optimum.
    for start in stride(from: 0, to: 20, by: 5) {
      let sizes = plan.runs[start..<start + 5].map { Double($0.shape.parameterCount) }
      let optimum = Chinchilla.besiroglu.optimalAllocation(compute: plan.runs[start].compute).parameters
      #expect(zip(sizes, sizes.dropFirst()).allSatisfy(<) && sizes[0] < optimum && sizes[4] > optimum)
    }
    #expect(plan.runs.allSatisfy { $0.shape.nonEmbeddingCount < $0.shape.parameterCount })
  }

  @Test func tooLittleCompute() { #expect(throws: PlanError.self) { try plan(1e6) } }

  /// The rate falls as the width grows: the same change of a layer's output, shown by a product that Adam's first step
  /// (each weight by ± the rate) moves by the same amount in every width.
  @Test(arguments: [64, 128, 512, 2_048])
  func learningRateKeepsTheChangeOfAnOutput(width: Int) {
    #expect(rule(width: 128) == 2e-3)
    // All gradients of a unit's weights have the sign of their inputs: Σ |x| · rate, for inputs of size 1.
    let change = (0..<width).reduce(0.0) { sum, i in
      sum + (i % 2 == 0 ? 1 : -1) * rule(width: width) * (i % 2 == 0 ? 1 : -1)
    }
    #expect(abs(change - 128 * 2e-3) < 1e-12)
  }

  /// A law fitted to the grid predicts the test: with noise of half a percent, inside its interval in most draws.
  @Test func predictionOfTheTest() throws {
    let (plan, law) = (try plan(3e18), Chinchilla.besiroglu)
    var random = RandomSource(seed: 5)
    func point(_ run: SweepPlan.Run) -> ScalingPoint {
      let n = Double(run.shape.parameterCount)
      return ScalingPoint(
        parameters: n, tokens: run.tokens,
        loss: law.loss(parameters: n, tokens: run.tokens) * exp(0.005 * random.gaussian()))
    }
    var inside = 0
    for _ in 0..<20 {
      let fit = try ChinchillaFit(plan.runs.map(point), from: StartGrid(law))
      let outcome = SweepOutcome(fit, fit.bootstrap(samples: 200), run: point(plan.test))
      #expect(abs(outcome.leap - 6) < 1e-6 && abs(outcome.error) < 0.05)
      #expect(outcome.isInside == (outcome.miss == 0))
      if outcome.isInside { inside += 1 }
    }
    #expect(inside >= 15, "\(inside) of 20")
  }
}
