import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import Testing

import NablaAlignment

@Suite struct RolloutTests {
  private func rollouts(
    _ digits: DigitModel, temperature: Float, count: Int = 16, seed: UInt64 = 3
  ) throws -> (TransformerLM, [Rollout]) {
    let trained = try TrainedModel(digits.model, precision: .float32)
    let sampler = RolloutSampler(
      tokenizer: trained.tokenizer, endTokens: trained.endTokens, maximumTokens: 6, temperature: temperature)
    var random = RandomSource(seed: seed)
    let prompts: [(number: Int, tokens: [Int32])] = [(0, [3, 5]), (1, [2, 2, 7])]
    return (trained.model, try sampler.sample(prompts, count: count, from: trained.model, random: &random))
  }

  /// The logarithms that the sampler gives are those of the distribution sampled from, and training computes the same;
  /// at another temperature they are not.
  @Test(arguments: [Float(1), 0.6, 1.7]) func samplerAgreesWithTraining(_ temperature: Float) throws {
    try DigitModel.use { digits in
      let (model, rollouts) = try rollouts(digits, temperature: temperature)
      let sampled = rollouts.flatMap(\.samplerLogProbabilities)
      func difference(_ temperature: Float) -> Float {
        let now = RolloutBatch(rollouts, for: model.configuration).logProbabilities(model, temperature: temperature)
          .logProbabilities.array()
        return zip(now, sampled).map { abs($0 - $1) }.max()!
      }
      #expect(difference(temperature) < 1e-5)
      #expect(difference(temperature * 1.3) > 0.02)
    }
  }

  @Test func endsAreLearnedAndCutsAreMarked() throws {
    try DigitModel.use { digits in
      let (_, rollouts) = try rollouts(digits, temperature: 1, count: 40)
      #expect(rollouts.count == 80 && rollouts[39].prompt == 0 && rollouts[40].prompt == 1)
      #expect(rollouts.contains { $0.isTruncated } && rollouts.contains { !$0.isTruncated })
      for rollout in rollouts {
        #expect(rollout.isTruncated == (rollout.tokens.last != 0))
        #expect(!rollout.isTruncated || rollout.tokens.count == 6)
        // A character a token; the end is none of the text.
        #expect(rollout.text.count == rollout.tokens.count - (rollout.isTruncated ? 0 : 1))
        #expect(!rollout.tokens.dropLast().contains(0))
      }
      #expect(Set(rollouts[..<40].map(\.tokens)).count > 20)
    }
  }

  /// Passes that record gradients and passes that do not give the same bits, and so the first ratio is exactly 1; also
  /// with a model that has dropout.
  @Test func firstRatioIsExactlyOne() throws {
    try DigitModel.use { digits in
      let (model, rollouts) = try rollouts(digits, temperature: 0.8)
      var c = model.configuration
      c.dropout = 0.5
      var random = RandomSource(seed: 1)
      let dropping = TransformerLM(c, random: &random)
      for (own, other) in zip(dropping.parameters(), model.parameters()) { own.value = other.value }
      for model in [model, dropping] {
        let batch = RolloutBatch(rollouts, for: model.configuration)
        let old = withoutGradient { batch.logProbabilities(model, temperature: 0.8).logProbabilities }
        var ratios: [Float] = []
        _ = valueAndGradient(of: model) { model in
          let now = batch.logProbabilities(model, temperature: 0.8).logProbabilities
          ratios = probabilityRatio(now.stopGradient(), old: old).array()
          return now.sum()
        }
        #expect(ratios.allSatisfy { $0 == 1 })
      }
    }
  }

  /// A completion reads the same beside others as alone.
  @Test func neighborsDoNotLeak() throws {
    try DigitModel.use { digits in
      let (model, rollouts) = try rollouts(digits, temperature: 1, count: 3)
      let together = RolloutBatch(rollouts, for: model.configuration).logProbabilities(model, temperature: 1)
        .logProbabilities.array()
      let alone = rollouts.flatMap {
        RolloutBatch([$0], for: model.configuration).logProbabilities(model, temperature: 1).logProbabilities.array()
      }
      #expect(zip(together, alone).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test func promptsThatDoNotFit() throws {
    try DigitModel.use(context: 8) { digits in
      let error = #expect(throws: DatasetError.self) { try digits.trainer { $0.maximumTokens = 6 } }
      #expect(error?.line == 1 && error?.problem.contains("3 tokens") == true, "\(error?.description ?? "none")")
    }
  }
}
