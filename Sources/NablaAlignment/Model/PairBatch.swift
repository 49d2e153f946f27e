import NablaLanguage
import NablaTensor
import NablaText

/// Preference pairs as input to a model: both completions of every pair packed into rows, each attending only to
/// its own prompt and itself.
struct PairBatch: Sendable {
  let batch: SequenceBatch
  let pairs: [EncodedPair]
  /// The indices of the sequences in batch order: chosen 0..<P, rejected P..<2P.
  private let order: [Int]

  init(_ pairs: [EncodedPair]) {
    let sequences = pairs.map(\.chosen) + pairs.map(\.rejected)
    let lengths = sequences.map { max($0.tokens.count - 1, 1) }
    let rows = packed(lengths, into: lengths.max()!, order: Array(sequences.indices))
    batch = SequenceBatch(rows.map { $0.map { sequences[$0] } })
    order = rows.flatMap { $0 }
    self.pairs = pairs
  }

  var chosenLengths: [Int] { pairs.map(\.chosen.trainedCount) }
  var rejectedLengths: [Int] { pairs.map(\.rejected.trainedCount) }
  var segments: Segments { Segments(ids: batch.segments) }

  /// Sums over each sequence of a number at each position. values: [rows, width] → chosen [P] and rejected [P].
  ///
  /// A multiplication with a matrix of ones and zeros, [2P, rows · width], through which gradients flow.
  func sums(_ values: Tensor) -> (chosen: Tensor, rejected: Tensor) {
    let (count, places) = (pairs.count, values.count)
    var belongs = [Float](repeating: 0, count: 2 * count * places)
    for (span, sequence) in zip(batch.spans, order) {
      let start = sequence * places + span.row * batch.width
      for column in span.columns { belongs[start + column] = 1 }
    }
    let sums = Tensor(belongs, [2 * count, places]).matmul(values.reshaped([places, 1])).reshaped([2 * count])
    return (sums[0..<count], sums[count..<2 * count])
  }
}

extension TransformerLM {
  /// ln π(y|x) of both completions of each pair, summed over their tokens: [P] each.
  func logProbabilities(of pairs: PairBatch, random: RandomSource? = nil) -> (chosen: Tensor, rejected: Tensor) {
    let values = logProbabilities(
      pairs.batch.tokens, targets: pairs.batch.targets, segments: pairs.segments, random: random
    ).logProbabilities
    return pairs.sums(values)
  }
}
