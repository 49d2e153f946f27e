import NablaLanguage
import NablaTensor
import NablaText

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
