import NablaLanguage
import NablaTensor
import NablaText

/// Preference pairs as input to a model: both completions of every pair in a single row. A completion sees its own prompt,
/// which both share, and itself. P: pairs, n: learned tokens.
struct PairBatch: Sendable {
  let pairs: [EncodedPair]
  private let packed: PackedSequences
  /// [n] int32: the places that predict the learned tokens, and those tokens.
  private let places, targets: Tensor

  /// - Parameter configuration: of the model that will read them.
  init(_ pairs: [EncodedPair], for configuration: TransformerConfiguration) {
    let sequences = pairs.flatMap { [$0.chosen, $0.rejected] }
    // The last token predicts nothing.
    packed = PackedSequences(
      sequences.map { Array($0.tokens.prefix(max($0.tokens.count - 1, 1))) }, for: configuration)
    var (places, targets): ([Int32], [Int32]) = ([], [])
    for (number, sequence) in sequences.enumerated() {
      for token in sequence.trained.joined() {
        places.append(Int32(packed.place(of: token - 1, in: number)))
        targets.append(sequence.tokens[token])
      }
    }
    (self.places, self.targets) = (Tensor(places), Tensor(targets))
    self.pairs = pairs
  }

  var chosenLengths: [Int] { pairs.map(\.chosen.trainedCount) }
  var rejectedLengths: [Int] { pairs.map(\.rejected.trainedCount) }
  /// Tokens of all completions with their prompts, as if nothing were shared.
  var tokenCount: Int { pairs.reduce(0) { $0 + $1.chosen.tokens.count + $1.rejected.tokens.count - 2 } }

  /// ln π(y|x) of both completions of each pair, summed over their tokens: [P] each.
  func logProbabilities(
    _ model: TransformerLM, random: RandomSource? = nil
  ) -> (chosen: Tensor, rejected: Tensor) {
    let hidden = model.backbone(packed.tokens, segments: packed.segments, random: random)
    let values = model.logProbabilities(
      hidden: hidden.reshaped([packed.tokens.count, model.configuration.width]).gather(places), targets: targets
    ).logProbabilities
    let sums = values.segmentSums(pairs.flatMap { [$0.chosen.trainedCount, $0.rejected.trainedCount] })
      .reshaped([pairs.count, 2]).transposed()
    return (sums[0], sums[1])
  }
}
