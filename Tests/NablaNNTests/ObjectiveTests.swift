import NablaNN
import NablaTensor
import Testing

/// Objectives against trl's own code (Tests/Fixtures/generate/alignment.py).
@Suite struct PreferenceTests {
  /// One rounding of a sum of some ten numbers, and logarithms good to 5e-7.
  static let tolerance = 1e-6

  private func lengths(_ fixture: Fixture, _ name: String) throws -> [Int] {
    try fixture[name].array(of: Int32.self).map(Int.init)
  }

  private func check(
    _ name: String, _ loss: DPOLoss, labelSmoothing: Float = 0, isFree: Bool = false
  ) throws {
    let fixture = try Fixture("alignment")
    let lengths = try lengths(fixture, "dpo.lengths")
    let count = lengths.count / 2
    func sums(_ x: Tensor) -> (chosen: Tensor, rejected: Tensor) {
      let parts = x.segmentSums(lengths).split([count, count], axis: 0)
      return (parts[0], parts[1])
    }
    let reference = sums(try fixture["dpo.ref_logps"])
    let (value, gradients) = valueAndGradient(at: [try fixture["dpo.logps"], 0.1]) { inputs in
      let policy = sums(inputs[0])
      let pairs = PreferenceLogProbabilities(
        chosen: policy.chosen, rejected: policy.rejected, reference: isFree ? nil : reference,
        chosenLengths: Array(lengths[..<count]), rejectedLengths: Array(lengths[count...]))
      return loss(pairs, beta: inputs[1], labelSmoothing: labelSmoothing).mean()
    }
    expectClose(value, try fixture["dpo.\(name).loss"], tolerance: Self.tolerance, name)
    expectClose(gradients[0], try fixture["dpo.\(name).logps_gradient"], tolerance: Self.tolerance, name)
    expectClose(gradients[1], try fixture["dpo.\(name).beta_gradient"], tolerance: Self.tolerance, name)
  }

  @Test(arguments: DPOLoss.allCases) func dpo(_ loss: DPOLoss) throws {
    try check(loss.rawValue, loss, labelSmoothing: loss == .robust || loss == .exoPair ? 0.1 : 0)
  }

  @Test func variantsOfDPO() throws {
    try check("cdpo", .sigmoid, labelSmoothing: 0.1)
    try check("reference_free", .sigmoid, isFree: true)
  }

  @Test func implicitRewards() throws {
    let fixture = try Fixture("alignment")
    let lengths = try lengths(fixture, "dpo.lengths")
    let (policy, reference) = (
      try fixture["dpo.logps"].segmentSums(lengths), try fixture["dpo.ref_logps"].segmentSums(lengths)
    )
    let pairs = PreferenceLogProbabilities(
      chosen: policy[0..<5], rejected: policy[5..<10], reference: (reference[0..<5], reference[5..<10]),
      chosenLengths: Array(lengths[..<5]), rejectedLengths: Array(lengths[5...]))
    let rewards = pairs.implicitRewards(beta: 0.1)
    expectClose(rewards.chosen, try fixture["dpo.rewards.chosen"], tolerance: Self.tolerance)
    expectClose(rewards.rejected, try fixture["dpo.rewards.rejected"], tolerance: Self.tolerance)
  }

  @Test(arguments: ["plain", "margin", "centered"]) func bradleyTerry(_ name: String) throws {
    let fixture = try Fixture("alignment")
    let leaves = [try fixture["reward.chosen"], try fixture["reward.rejected"]]
    let margin = name == "margin" ? try fixture["reward.margin"] : nil
    let (value, gradients) = valueAndGradient(at: leaves) {
      bradleyTerryLoss(
        chosen: $0[0], rejected: $0[1], margin: margin, centering: name == "centered" ? 0.01 : 0
      ).mean()
    }
    expectClose(value, try fixture["reward.\(name).loss"], tolerance: Self.tolerance)
    expectClose(gradients[0], try fixture["reward.\(name).chosen_gradient"], tolerance: Self.tolerance)
    expectClose(gradients[1], try fixture["reward.\(name).rejected_gradient"], tolerance: Self.tolerance)
  }

  /// By hand: predictions 0.1 and 0.3 with one event; 0.9, 0.95 and 1 with two.
  @Test func calibration() {
    let calibration = Calibration(
      probabilities: [0.1, 0.3, 0.9, 0.95, 1], outcomes: [false, true, true, false, true], bins: 2)
    #expect(calibration.bins.map(\.count) == [2, 3])
    #expect(abs(calibration.bins[0].predicted - 0.2) < 1e-12 && calibration.bins[0].observed == 0.5)
    #expect(abs(calibration.bins[1].predicted - 0.95) < 1e-12)
    #expect(abs(calibration.expectedError - (0.4 * 0.3 + 0.6 * (0.95 - 2.0 / 3))) < 1e-12)
    #expect(Calibration(probabilities: [], outcomes: []).expectedError == 0)
  }
}

@Suite struct PolicyObjectiveTests {
  static let tolerance = 1e-6

  @Test(arguments: TokenAggregation.allCases, [Float(0), 0.05]) func grpo(_ variant: TokenAggregation, _ beta: Float)
    throws
  {
    try check(variant.rawValue + (beta == 0 ? "" : "_kl"), variant, .token, beta: beta)
  }

  @Test func gspo() throws { try check("gspo", .grpo, .sequence, beta: 0) }

  private func check(
    _ name: String, _ variant: TokenAggregation, _ sampling: ImportanceSampling, beta: Float
  ) throws {
    let fixture = try Fixture("alignment")
    let lengths = try fixture["grpo.lengths"].array(of: Int32.self).map(Int.init)
    let (old, reference) = (try fixture["grpo.old_logps"], try fixture["grpo.ref_logps"])
    let advantages = try fixture["grpo.advantages"].repeated(lengths)
    let weights = variant.weights(lengths, maximumLength: 12)
    func losses(_ logProbabilities: Tensor) -> Tensor {
      let ratios = sampling.logRatios(logProbabilities, old: old, lengths: lengths).exp()
      let surrogate = clippedSurrogate(ratio: ratios, advantages: advantages, clipLow: 0.2, clipHigh: 0.28)
      return KLEstimator.k3(logProbabilities, reference: reference) * Tensor(beta) - surrogate
    }
    let (value, gradients) = valueAndGradient(at: [try fixture["grpo.logps"]]) { (losses($0[0]) * weights).sum() }
    expectClose(value, try fixture["grpo.\(name).loss"], tolerance: Self.tolerance, name)
    expectClose(gradients[0], try fixture["grpo.\(name).logps_gradient"], tolerance: Self.tolerance, name)

    // Completions computed apart, with weights of the whole batch, add up to the same.
    let logProbabilities = try fixture["grpo.logps"]
    var (start, sum) = (0, 0.0)
    for length in lengths {
      let part = start..<start + length
      sum += Double((losses(logProbabilities)[part] * weights[part]).sum().item())
      start += length
    }
    #expect(abs(sum - Double(value.item())) < 1e-6)
  }

  @Test func tokensThatDoNotCount() {
    let marks: [Float] = [1, 1, 0, 0, 0, 1]
    #expect(
      TokenAggregation.grpo.weights([2, 3, 1], counted: marks, maximumLength: 9).array() == [
        1 / 6, 1 / 6, 0, 0, 0, 1 / 3,
      ] as [Float])
    #expect(
      TokenAggregation.dapo.weights([2, 3, 1], counted: marks, maximumLength: 9).array() == [
        1 / 3, 1 / 3, 0, 0, 0, 1 / 3,
      ] as [Float])
    // Nothing counts: no NaN.
    for variant in TokenAggregation.allCases {
      #expect(variant.weights([2], counted: [0, 0], maximumLength: 9).array() == [0, 0] as [Float])
    }
  }

  @Test(arguments: RewardScaling.allCases) func advantages(_ scaling: RewardScaling) throws {
    let fixture = try Fixture("alignment")
    let rewards = try fixture["advantages.rewards"].array(of: Double.self)
    let (advantages, silent) = groupAdvantages(rewards, groupSize: 4, scaling: scaling)
    #expect(silent == 1)
    expectClose(
      Tensor(advantages, [3, 4]), try fixture["advantages.\(scaling.rawValue)"], tolerance: Self.tolerance)
    #expect(advantages[4..<8].allSatisfy { $0 == 0 })
  }

  @Test func whitening() throws {
    let fixture = try Fixture("alignment")
    expectClose(whitened(try fixture["whiten.input"]), try fixture["whiten.shifted"], tolerance: Self.tolerance)
    expectClose(
      whitened(try fixture["whiten.input"], keepsMean: true), try fixture["whiten.kept"], tolerance: Self.tolerance)
    #expect(whitened(Tensor([Float(3)])).array() == [0] as [Float])
  }

  @Test(arguments: KLEstimator.allCases) func divergence(_ estimator: KLEstimator) throws {
    let fixture = try Fixture("alignment")
    let (policy, reference) = (try fixture["grpo.logps"], try fixture["grpo.ref_logps"])
    let (_, gradients) = valueAndGradient(at: [policy]) { estimator($0[0], reference: reference).sum() }
    expectClose(
      estimator(policy, reference: reference), try fixture["kl.\(estimator.rawValue)"], tolerance: Self.tolerance)
    expectClose(gradients[0], try fixture["kl.\(estimator.rawValue)_gradient"], tolerance: Self.tolerance)
  }

  @Test func valueErrors() throws {
    let fixture = try Fixture("alignment")
    let (returns, old) = (try fixture["value.returns"], try fixture["value.old_values"])
    let (_, gradients) = valueAndGradient(at: [try fixture["value.values"]]) {
      valueLoss(values: $0[0], returns: returns, oldValues: old, clipRange: 0.3).sum()
    }
    expectClose(
      valueLoss(values: try fixture["value.values"], returns: returns, oldValues: old, clipRange: 0.3),
      try fixture["value.losses"], tolerance: Self.tolerance)
    expectClose(gradients[0], try fixture["value.values_gradient"], tolerance: Self.tolerance)
  }

  @Test func importanceWeights() {
    let weights = truncatedImportanceWeights(old: Tensor([Float(0), -1, -1]), sampler: Tensor([Float(-3), -1, 0]))
    expectClose(weights, Tensor([Float(2), 1, 0.36787944]), tolerance: 1e-6)
  }

  @Test func coefficientFollowsTheTarget() {
    var coefficient = AdaptiveKLCoefficient(initial: 0.2, target: 6, horizon: 1000)
    coefficient.update(divergence: 60, episodes: 100)  // an error of 9 counts as 0.2
    #expect(abs(coefficient.value - 0.2 * 1.02) < 1e-12)
    coefficient.update(divergence: 5.4, episodes: 100)
    #expect(abs(coefficient.value - 0.2 * 1.02 * 0.99) < 1e-12)
  }
}
