import Foundation
import Testing

import NablaScaling

@Suite struct LawTests {
  /// The best split by trying sizes, in steps of 0.01 %.
  private func searched(_ law: some ScalingLaw, compute: Double) -> Double {
    let start = law.optimalAllocation(compute: compute).parameters
    let sizes = (-3_000...3_000).map { start * pow(1.0001, Double($0)) }
    return sizes.min {
      law.loss(parameters: $0, tokens: compute / 6 / $0) < law.loss(parameters: $1, tokens: compute / 6 / $1)
    }!
  }

  @Test(arguments: [Chinchilla.hoffmann, .hoffmannRounded, .besiroglu], [1e18, 1e21, 5.76e23])
  func optimumIsTheLowestLossAtItsCompute(law: Chinchilla, compute: Double) {
    let best = law.optimalAllocation(compute: compute)
    #expect(abs(best.compute / compute - 1) < 1e-12)
    #expect(abs(searched(law, compute: compute) / best.parameters - 1) < 2e-4)
  }

  @Test func exponentsAddUpAndDescribeThePath() {
    let law = Chinchilla.besiroglu
    #expect(abs(law.parameterExponent + law.tokenExponent - 1) < 1e-15)
    let (a, b) = (law.optimalAllocation(compute: 1e20), law.optimalAllocation(compute: 1e22))
    #expect(abs(log(b.parameters / a.parameters) / log(100) - law.parameterExponent) < 1e-12)
    #expect(abs(log(b.tokens / a.tokens) / log(100) - law.tokenExponent) < 1e-12)
    let excess = { law.optimalLoss(compute: $0) - law.E }
    #expect(abs(log(excess(1e20) / excess(1e22)) / log(100) - law.computeExponent) < 1e-12)
  }

  @Test func inversesOfTheOptimalPath() throws {
    let law = Chinchilla.besiroglu
    let best = law.optimalAllocation(compute: 3e21)
    #expect(abs(law.optimalCompute(parameters: best.parameters) / 3e21 - 1) < 1e-12)
    #expect(abs(law.optimalCompute(tokens: best.tokens) / 3e21 - 1) < 1e-12)
    #expect(abs(try #require(law.compute(optimalLoss: law.loss(best))) / 3e21 - 1) < 1e-9)
    #expect(law.compute(optimalLoss: law.E) == nil)
    let tokens = try #require(law.tokens(parameters: 1e9, loss: 2.5))
    #expect(abs(law.loss(parameters: 1e9, tokens: tokens) - 2.5) < 1e-12)
    #expect(law.tokens(parameters: 1e3, loss: 2.5) == nil)
  }

  /// Besiroglu et al. (2024) find about 20 tokens a parameter at Chinchilla's budget; the constants of Hoffmann et al.
  /// give 59, and 93 with the two digits that the paper prints.
  @Test func roundingMovesTheOptimum() {
    let budget = 5.76e23
    let ratio = { (law: Chinchilla) in law.optimalAllocation(compute: budget).tokensPerParameter }
    #expect((15...25).contains(ratio(.besiroglu)))
    #expect((58...60).contains(ratio(.hoffmann)))
    #expect((92...93.5).contains(ratio(.hoffmannRounded)))
  }

  /// Hand-computed: 1.8172 + 482.01 / (10⁹)^0.3478 + 2085.43 / (2·10¹⁰)^0.3658.
  @Test func lossByHand() {
    let expected = 1.8172 + 482.01 * exp(-0.3478 * 20.72326583694641) + 2085.43 * exp(-0.3658 * 23.718998110500402)
    #expect(abs(Chinchilla.besiroglu.loss(parameters: 1e9, tokens: 2e10) - expected) < 1e-12)
    // exp(6.0073404) is the 406.4 of the paper, and so on.
    #expect((Chinchilla.hoffmann.A * 10).rounded() == 4064 && (Chinchilla.hoffmann.B * 10).rounded() == 4107)
    #expect((Chinchilla.hoffmann.E * 100).rounded() == 169)
  }

  /// The optimal size is 10^2000 parameters with the first, and there is none with the second.
  @Test(arguments: [
    Chinchilla(E: 1.7, A: 1e4, B: 1, alpha: 1e-3, beta: 1e-3),
    Chinchilla(E: 1.7, A: 400, B: 400, alpha: 0.3, beta: -0.1),
  ])
  func lawsWithoutAnOptimum(law: Chinchilla) {
    #expect(!law.hasOptimum && Chinchilla.besiroglu.hasOptimum)
    let report = ScalingReport(law: NamedLaw(name: "", title: "", form: .chinchilla(law)))
    #expect(throws: PointError(.noOptimum(alpha: law.alpha, beta: law.beta))) { _ = try report.html() }
  }

  @Test func kaplanAtItsOwnScales() {
    let law = Kaplan.kaplan2020
    // (8.8e13 / 8.8e13)^α = 1 nat, and 10 times fewer parameters are 10^0.076 times the loss.
    #expect(law.parameters(8.8e13) == 1)
    #expect(abs(law.parameters(8.8e12) - pow(10, 0.076)) < 1e-12)
    #expect(Compute.petaflopDay == 8.64e19 && Compute.flop(petaflopDays: 2) == 1.728e20)
    #expect(abs(law.compute(Compute.flop(petaflopDays: 3.1e8)) - 1) < 1e-12)
    let best = law.optimalAllocation(compute: Compute.petaflopDay)
    #expect(abs(best.parameters - 1.3e9) < 1 && abs(best.compute / Compute.petaflopDay - 1) < 1e-12)
    // With unlimited text the joint law is a power law of N alone.
    #expect(abs(law.loss(parameters: 1e9, tokens: 1e30) / pow(6.4e13 / 1e9, 0.076) - 1) < 1e-9)
    #expect(Kaplan.totalParameters(nonEmbedding: 1e9) == 1e9 + 47_491e3)
  }

  @Test func repeatedTextIsWorthLessAndLess() {
    let law = DataConstrained.muennighoff
    let unique = 1e9
    func loss(_ epochs: Double) -> Double { law.loss(parameters: 1e8, tokens: epochs * unique, uniqueTokens: unique) }
    // Once: the base law, as long as the model is not larger than the text trains optimally.
    let small = law.base.optimalAllocation(compute: law.base.optimalCompute(tokens: unique)).parameters * 0.9
    #expect(
      abs(
        law.loss(parameters: small, tokens: unique, uniqueTokens: unique)
          - law.base.loss(parameters: small, tokens: unique)) < 1e-12)
    // U_N = 0.051 U_D in the paper.
    #expect(abs(small / 0.9 / unique - 0.051) < 0.001)
    let losses = [1.0, 2, 4, 8, 16, 64, 256].map(loss)
    #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 > $1 })
    // D' = U (1 + R* (1 - e^(-R/R*))): 4 epochs are worth 3.73 times the text, infinitely many 16.4 times.
    #expect(abs(DataConstrained.effective(4, unique: 1, decay: 15.3878) - 3.7257) < 1e-3)
    #expect(abs(DataConstrained.effective(1e9, unique: 1, decay: 15.3878) - 16.3878) < 1e-9)
    // With ample text the optimum is that of the base law; with little the text is repeated, and rather that than a
    // larger model: excess parameters lose their worth sooner (the paper's figure 1).
    let free = law.optimalAllocation(compute: 1e20, uniqueTokens: 1e15)
    #expect(abs(free.parameters / law.base.optimalAllocation(compute: 1e20).parameters - 1) < 1e-3)
    let scarce = law.optimalAllocation(compute: 1e20, uniqueTokens: 1e9)
    #expect(scarce.tokens > 3e9 && scarce.parameters < free.parameters && abs(scarce.compute / 1e20 - 1) < 1e-9)
    let searched = (-400...400).map { scarce.parameters * pow(1.01, Double($0)) }
      .min { at($0) < at($1) }
    func at(_ size: Double) -> Double { law.loss(parameters: size, tokens: 1e20 / (6 * size), uniqueTokens: 1e9) }
    #expect(abs(searched! / scarce.parameters - 1) < 0.011)
  }

  @Test func goldenSection() {
    #expect(abs(goldenSectionMinimum(in: -3...5) { ($0 - 1.25) * ($0 - 1.25) } - 1.25) < 1e-7)
  }
}
