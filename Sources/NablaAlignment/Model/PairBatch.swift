import NablaLanguage
import NablaTensor
import NablaText

/// Preference pairs as input to a model: both completions of every pair, which share their prompt. P: pairs.
struct PairBatch: Sendable {
  let pairs: [EncodedPair]
  private let batch: ExampleBatch

  /// - Parameter configuration: of the model that will read them.
  init(_ pairs: [EncodedPair], for configuration: TransformerConfiguration) {
    self.pairs = pairs
    batch = ExampleBatch(pairs.flatMap { [$0.chosen, $0.rejected] }, for: configuration)
  }

  var chosenLengths: [Int] { pairs.map(\.chosen.trainedCount) }
  var rejectedLengths: [Int] { pairs.map(\.rejected.trainedCount) }
  var tokenCount: Int { batch.tokenCount }

  /// ln π(y|x) of both completions of each pair, summed over their tokens: [P] each.
  func logProbabilities(
    _ model: TransformerLM, random: RandomSource? = nil
  ) -> (chosen: Tensor, rejected: Tensor) {
    let values = model.logProbabilities(hidden: batch.hidden(model, random: random), targets: batch.targets)
      .logProbabilities
    let sums = values.segmentSums(batch.lengths).reshaped([pairs.count, 2]).transposed()
    return (sums[0], sums[1])
  }
}
