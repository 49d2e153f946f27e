import NablaAlignment
import NablaLanguage
import NablaTensor
import NablaText
import Testing

/// Examples in one row against each alone and against the sums written out.
@Suite struct ExampleBatchTests {
  static let examples = [
    EncodedExample(tokens: [1, 2, 3, 4], trained: [2..<4], promptCount: 2),
    EncodedExample(tokens: [1, 2, 5, 6, 7], trained: [2..<3, 4..<5], promptCount: 2),
    EncodedExample(tokens: [8, 9], trained: [1..<2], promptCount: 1),
  ]

  @Test func readsLearnedTokensAsAlone() {
    var random = RandomSource(seed: 3)
    let c = TransformerConfiguration(
      vocabularySize: 12, context: 8, width: 16, layerCount: 2, headCount: 2, feedForwardWidth: 24)
    let model = TransformerLM(c, random: &random)
    let batch = ExampleBatch(Self.examples, for: c)
    #expect(batch.targets.array(of: Int32.self) == [3, 4, 5, 7, 9])
    #expect(batch.lengths == [2, 2, 1])
    // The last tokens are no inputs; what two of them share counts twice.
    #expect(batch.tokenCount == 3 + 4 + 1)
    let losses = Self.examples.flatMap { example in
      // ln p of every token, from the whole logits of the example alone.
      let inputs = Tensor(example.tokens, [1, example.tokens.count])
      let logits = model.logits(model(inputs)).reshaped([example.tokens.count, 12])
      let logProbabilities = logits.logSoftmax().array()
      return example.trained.joined().map { Double(-logProbabilities[($0 - 1) * 12 + Int(example.tokens[$0])]) }
    }
    let ours = model.logProbabilities(hidden: batch.hidden(model), targets: batch.targets).logProbabilities.array()
    #expect(zip(ours, losses).allSatisfy { abs(Double($0) + $1) < 1e-5 })
    let mean = model.loss(hidden: batch.hidden(model), targets: batch.targets).item()
    #expect(abs(Double(mean) - losses.reduce(0, +) / 5) < 1e-5)
  }
}
