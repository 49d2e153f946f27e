import FoundationEssentials
import NablaTraining
import Testing

@Suite struct SpikeGuardTests {
  /// A guard that has seen a quiet stretch: losses around 2 ± 0.05, norms around 0.5 ± 0.05.
  private func settled(_ guarded: SpikeGuard = SpikeGuard()) -> SpikeGuard {
    var guarded = guarded
    var random = SplitMix(state: 5)
    for _ in 0..<100 {
      let verdict = guarded.judge(
        loss: .random(in: 1.95...2.05, using: &random), gradientNorm: .random(in: 0.45...0.55, using: &random))
      #expect(verdict == .take)
    }
    return guarded
  }

  @Test(arguments: [
    (2.0, 0.5, true), (2.9, 0.5, true), (0.1, 0.5, true), (-3, 0.5, true), (2.0, 0.99, true), (2.0, 0.0, true),
    (2.0, 4.5, true), (3.5, 0.5, false), (2.0, 6.0, false), (.nan, 0.5, false), (.infinity, 0.5, false),
    (-.infinity, 0.5, false), (2.0, .nan, false), (2.0, .infinity, false),
  ])
  func judges(loss: Double, norm: Double, isGood: Bool) {
    var guarded = settled()
    let verdict = guarded.judge(loss: loss, gradientNorm: norm)
    #expect((verdict == .take) == isGood, "\(verdict)")
  }

  @Test func trainingAsUsualIsLeftAlone() {
    // A loss that falls fast, then slowly, with noise; norms that start large and carry occasional fourfold spikes.
    var guarded = SpikeGuard()
    var random = SplitMix(state: 11)
    for step in 0..<3000 {
      let decay = 1 / (1 + Double(step) / 30)
      let loss = 1.4 + 3.1 * decay + .random(in: -0.15...0.15, using: &random)
      let norm = (0.4 + 8 * decay) * .random(in: 0.7...1.4, using: &random) * (step % 97 == 0 ? 4 : 1)
      #expect(guarded.judge(loss: loss, gradientNorm: norm) == .take, "step \(step): \(loss), \(norm)")
    }
  }

  @Test func earlyStepsMayBeWild() {
    var guarded = SpikeGuard()
    #expect(guarded.judge(loss: 1, gradientNorm: 1) == .take)
    #expect(guarded.judge(loss: 1000, gradientNorm: 1000) == .take)
    #expect(guarded.judge(loss: .nan, gradientNorm: 1) == .skip(reason: "the loss is nan"))
  }

  @Test func stopsAfterSeveralInARow() {
    var guarded = settled()
    for _ in 0..<4 { #expect(guarded.judge(loss: .nan, gradientNorm: 1) == .skip(reason: "the loss is nan")) }
    #expect(guarded.judge(loss: 2, gradientNorm: 0.5) == .take)
    for _ in 0..<4 { #expect(guarded.judge(loss: 2, gradientNorm: .nan) != .take) }
    #expect(
      guarded.judge(loss: 2, gradientNorm: .infinity)
        == .stop(reason: "5 bad steps in a row; the last: the gradient norm is inf"))
    #expect(guarded.consecutiveBadSteps == 5 && guarded.totalBadSteps == 9)
  }

  /// Skipping cannot lead away from weights whose gradients are large for every batch: only steps can.
  @Test func skipsOneExplodedNormInARow() {
    var guarded = settled()
    let verdicts = [26.0, 13, 35, 15, 25, 8, 0.5, 30, 0.5].map { guarded.judge(loss: 2, gradientNorm: $0) == .take }
    #expect(verdicts == [false, true, true, true, true, true, true, false, true])
    #expect(guarded.totalBadSteps == 2)
    #expect(guarded.judge(loss: 40, gradientNorm: 30) != .take && guarded.judge(loss: 40, gradientNorm: 30) != .take)
  }

  /// A run of exploded values must not become the new normal.
  @Test func badStepsAreNotRemembered() {
    var guarded = settled(SpikeGuard(windowSize: 16, patience: 100))
    for _ in 0..<50 { #expect(guarded.judge(loss: 40, gradientNorm: 0.5) != .take) }
  }

  @Test func equalValuesHaveNoSpread() {
    var guarded = SpikeGuard()
    for _ in 0..<64 { #expect(guarded.judge(loss: 2, gradientNorm: 0.5) == .take) }
    #expect(guarded.judge(loss: 2.5, gradientNorm: 0.9) == .take)
    #expect(guarded.judge(loss: 3.1, gradientNorm: 0.5) != .take)
  }

  /// After a round trip through JSON it judges on exactly as before.
  @Test func survivesACheckpoint() throws {
    var guarded = settled()
    _ = guarded.judge(loss: .nan, gradientNorm: 1)
    var restored = try JSONDecoder().decode(SpikeGuard.self, from: JSONEncoder().encode(guarded))
    #expect(restored == guarded)
    for loss in stride(from: 2.0, to: 4.0, by: 0.01) {
      #expect(restored.judge(loss: loss, gradientNorm: 0.5) == guarded.judge(loss: loss, gradientNorm: 0.5))
    }
    #expect(restored == guarded)
  }
}
