import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// ln π_ref of both completions of every pair, computed once: the reference does not change.
struct ReferenceLogProbabilities: Codable, Sendable {
  /// The key of everything that the numbers depend on.
  let key: String
  private var chosen: [Float]
  private var rejected: [Float]

  /// Zeros: no reference.
  init(key: String, count: Int) {
    self.key = key
    chosen = Array(repeating: 0, count: count)
    rejected = chosen
  }

  init(key: String, of pairs: [EncodedPair], batchSize: Int, _ tuned: TunedModel) throws {
    self.init(key: key, count: pairs.count)
    // The longest first, batched with others of similar length.
    let order = pairs.indices.sorted {
      (pairs[$0].chosen.tokens.count + pairs[$0].rejected.tokens.count, $1)
        > (pairs[$1].chosen.tokens.count + pairs[$1].rejected.tokens.count, $0)
    }
    for start in stride(from: 0, to: order.count, by: batchSize) {
      let indices = order[start..<min(start + batchSize, order.count)]
      let batch = PairBatch(indices.map { pairs[$0] })
      let values = tuned.reference { $0.logProbabilities(of: batch) }
      for (place, index) in indices.enumerated() {
        (chosen[index], rejected[index]) = (values.chosen.array()[place], values.rejected.array()[place])
      }
    }
    guard (chosen + rejected).allSatisfy(\.isFinite) else {
      throw Diverged(reason: "the reference gives non-finite log-probabilities")
    }
  }

  /// Those of some pairs: [P] each.
  func of(_ indices: [Int]) -> (chosen: Tensor, rejected: Tensor) {
    (Tensor(indices.map { chosen[$0] }), Tensor(indices.map { rejected[$0] }))
  }
}

extension TunedModel {
  /// KL(π ‖ π_ref) of the next token in nats, the exact sum over the vocabulary, averaged over the learned positions
  /// of some examples.
  func divergence(on examples: [EncodedExample]) -> Double {
    setDropout(nil)
    var (sum, count) = (0.0, 0)
    withoutGradient {
      for example in examples {
        let batch = SequenceBatch([[example]])
        let targets = batch.targets.array(of: Int32.self)
        let places = targets.indices.filter { targets[$0] != TokenBatch.ignoredTarget }.map { Int32($0) }
        func logProbabilities(_ model: TransformerLM) -> Tensor {
          let hidden = model(batch.tokens)
          return model.logits(hidden.reshaped([targets.count, hidden.shape[2]]).gather(Tensor(places))).logSoftmax()
        }
        let (policy, reference) = (logProbabilities(model), self.reference(logProbabilities))
        sum += Double((policy.exp() * (policy - reference)).sum().item())
        count += places.count
      }
    }
    return sum / Double(max(count, 1))
  }
}
