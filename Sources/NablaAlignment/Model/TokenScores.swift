import NablaLanguage
import NablaTensor
import NablaText

/// How well a model predicts the learned tokens of some examples.
public struct TokenScores: Sendable, Equatable {
  /// Mean -ln π, in nats.
  public var loss: Double
  /// The fraction of tokens that are the model's most likely token.
  public var accuracy: Double
  /// The mean entropy of π at their positions, in nats.
  public var entropy: Double
  public var tokens: Int
}

extension TransformerLM {
  /// - Parameters:
  ///   - rowLength: examples are packed into rows of this length, and processed separately.
  ///   - batchSize: rows at a time.
  public func scores(of examples: [EncodedExample], rowLength: Int, batchSize: Int) -> TokenScores {
    var sums = (loss: 0.0, hits: 0, entropy: 0.0, tokens: 0)
    let rows = packed(examples.map { $0.tokens.count - 1 }, into: rowLength, order: Array(examples.indices))
    withoutGradient {
      for start in stride(from: 0, to: rows.count, by: batchSize) {
        let part = rows[start..<min(start + batchSize, rows.count)].joined()
        let batch = ExampleBatch(part.map { examples[$0] }, for: configuration)
        let (hidden, targets) = (batch.hidden(self), batch.targets.array(of: Int32.self))
        // The logits of some positions at a time: [256, V].
        for first in stride(from: 0, to: targets.count, by: 256) {
          let part = first..<min(first + 256, targets.count)
          let wanted = Array(targets[part])
          let logits = self.logits(hidden[part])
          let likeliest = logits.argmax(axis: 1).array(of: Int32.self)
          let (logProbabilities, entropies) = logits.logProbabilitiesAndEntropies(targets: Tensor(wanted))
          sums.hits += zip(likeliest, wanted).reduce(0) { $0 + ($1.0 == $1.1 ? 1 : 0) }
          sums.loss -= logProbabilities.array().reduce(0) { $0 + Double($1) }
          sums.entropy += entropies.array().reduce(0) { $0 + Double($1) }
          sums.tokens += wanted.count
        }
      }
    }
    let n = Double(max(sums.tokens, 1))
    return TokenScores(
      loss: sums.loss / n, accuracy: Double(sums.hits) / n, entropy: sums.entropy / n, tokens: sums.tokens)
  }
}
