import NablaLanguage
import NablaTensor
import NablaText
import NablaTraining

/// ln π_ref of both completions of every pair. Each is computed when its pair is first used and then kept, since
/// the reference does not change.
struct ReferenceLogProbabilities: Codable {
  /// What the numbers depend on.
  let key: String
  /// By the index of the pair; nil until it is used.
  private var chosen: [Float?]
  private var rejected: [Float?]

  init(key: String, count: Int) {
    self.key = key
    chosen = Array(repeating: nil, count: count)
    rejected = chosen
  }

  /// Those of some pairs, [P] each. New pairs go through the reference together.
  ///
  /// - Throws: `Diverged` where they are not finite.
  mutating func of(
    _ pairs: [EncodedPair], numbers: [Int], _ tuned: TunedModel
  ) throws -> (chosen: Tensor, rejected: Tensor) {
    let new = numbers.indices.filter { chosen[numbers[$0]] == nil }
    if !new.isEmpty {
      let batch = PairBatch(new.map { pairs[$0] }, for: tuned.model.configuration)
      let values = tuned.reference { batch.logProbabilities($0) }
      let (a, b) = (values.chosen.array(), values.rejected.array())
      guard (a + b).allSatisfy(\.isFinite) else {
        throw Diverged(reason: "the reference model gives non-finite log-probabilities")
      }
      for (place, i) in new.enumerated() { (chosen[numbers[i]], rejected[numbers[i]]) = (a[place], b[place]) }
    }
    return (Tensor(numbers.map { chosen[$0]! }), Tensor(numbers.map { rejected[$0]! }))
  }
}
