import NablaNN
import NablaTensor

/// A transformer that makes one number of a text instead of logits: a reward, a value.
///
/// Parameter names are those of a Hugging Face sequence-classification model with one label.
public final class ScoreModel: Module {
  @Named("model") public var backbone: Transformer
  @Named("score") public var score: Linear

  public var configuration: TransformerConfiguration { backbone.configuration }

  /// - Parameters:
  ///   - backbone: shared, not copied: with a language model one set of weights serves both.
  ///   - score: the weight of the head, [1, C]; nil for zeros, from which every score is 0.
  public init(_ backbone: Transformer, score: Tensor? = nil) {
    let width = backbone.configuration.width
    precondition(score.map { $0.shape == [1, width] } ?? true, "ScoreModel: a head \(score!.shape) for width \(width)")
    super.init()
    self.backbone = backbone
    self.score = Linear(weight: score ?? .zeros([1, width]))
  }

  /// The score of each hidden state: [n, C] → [n] float32.
  public func scores(_ hidden: Tensor) -> Tensor { score(hidden, output: .float32).reshaped([hidden.shape[0]]) }

  /// The score of each sequence, read at its last token, whatever token that is: [n].
  public func callAsFunction(_ sequences: some Collection<[Int32]>, random: RandomSource? = nil) -> Tensor {
    let packed = PackedSequences(sequences, for: configuration)
    let hidden = backbone(packed.tokens, segments: packed.segments, random: random)
    let last = sequences.enumerated().map { Int32(packed.place(of: $1.count - 1, in: $0)) }
    return scores(hidden.reshaped([packed.tokens.count, configuration.width]).gather(Tensor(last)))
  }

  /// The scores of sequences, so many at a time, without gradients.
  public func scores(of sequences: [[Int32]], batchSize: Int) -> [Float] {
    withoutGradient {
      stride(from: 0, to: sequences.count, by: batchSize).flatMap { start in
        self(sequences[start..<min(start + batchSize, sequences.count)]).array()
      }
    }
  }
}
