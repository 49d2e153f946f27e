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

  /// The score of each sequence, read at its last token: [n].
  public func callAsFunction(_ batch: ScoreBatch, random: RandomSource? = nil) -> Tensor {
    let hidden = backbone(batch.tokens, segments: batch.segments, random: random)
    return scores(hidden.reshaped([batch.tokens.count, configuration.width]).gather(batch.lastPlaces))
  }

  /// The scores of sequences, so many at a time, without gradients.
  public func scores(of sequences: [[Int32]], batchSize: Int) -> [Float] {
    withoutGradient {
      stride(from: 0, to: sequences.count, by: batchSize).flatMap { start in
        self(ScoreBatch(sequences[start..<min(start + batchSize, sequences.count)])).array()
      }
    }
  }
}

/// Sequences one after the other in a single row, without padding: each is read as if it were alone, and its last token
/// is where its length says, whatever the token is.
public struct ScoreBatch: Sendable {
  /// [1, T] int32.
  let tokens: Tensor
  let segments: Segments
  /// [n] int32.
  let lastPlaces: Tensor
  public var tokenCount: Int { tokens.count }

  public init(_ sequences: some Collection<[Int32]>) {
    precondition(sequences.allSatisfy { !$0.isEmpty }, "ScoreBatch: a sequence is empty")
    let all = sequences.flatMap { $0 }
    tokens = Tensor(all, [1, all.count])
    segments = Segments(lengths: [sequences.map(\.count)], time: all.count)
    var end: Int32 = 0
    lastPlaces = Tensor(
      sequences.map { sequence in
        end += Int32(sequence.count)
        return end - 1
      })
  }
}
