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
        let batch = ExampleBatch([example], for: model.configuration)
        func logProbabilities(_ model: TransformerLM) -> Tensor {
          model.logits(batch.hidden(model)).logSoftmax()
        }
        let (policy, reference) = (logProbabilities(model), self.reference(logProbabilities))
        sum += Double((policy.exp() * (policy - reference)).sum().item())
        count += batch.targets.count
      }
    }
    return sum / Double(max(count, 1))
  }
}
