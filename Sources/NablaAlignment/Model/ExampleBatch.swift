import NablaLanguage
import NablaTensor
import NablaText

/// Examples as input to a model, in a single row without padding: each is read as if it were alone. n: their learned
/// tokens.
package struct ExampleBatch: Sendable {
  private let packed: PackedSequences
  /// [n] int32: the places in the row that predict the learned tokens.
  private let places: Tensor
  /// [n] int32: the learned tokens.
  package let targets: Tensor
  /// Learned tokens of each example.
  package let lengths: [Int]
  /// The tokens that examples have before their last, which predicts nothing; shared ones count for each.
  package let tokenCount: Int

  /// - Parameters:
  ///   - examples: neighbors that begin alike share the places of their beginning.
  ///   - configuration: of the model that will read them.
  package init(_ examples: [EncodedExample], for configuration: TransformerConfiguration) {
    let sequences = examples.map { Array($0.tokens.prefix(max($0.tokens.count - 1, 1))) }
    let packed = PackedSequences(sequences, for: configuration)
    let places = examples.enumerated().flatMap { number, example in
      example.trained.joined().map { Int32(packed.place(of: $0 - 1, in: number)) }
    }
    self.packed = packed
    self.places = Tensor(places)
    targets = Tensor(examples.flatMap { example in example.trained.joined().map { example.tokens[$0] } })
    lengths = examples.map(\.trainedCount)
    tokenCount = sequences.reduce(0) { $0 + $1.count }
  }

  /// The hidden states that predict the learned tokens: [n, C].
  package func hidden(_ model: TransformerLM, random: RandomSource? = nil) -> Tensor {
    model.backbone(packed.tokens, segments: packed.segments, random: random)
      .reshaped([packed.tokens.count, model.configuration.width]).gather(places)
  }
}
