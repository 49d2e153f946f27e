import Glibc
import NablaTensor
import NablaText

/// How well a model predicts a text.
public struct Evaluation: Codable, Sendable {
  /// Mean negative log-likelihood of a token, in nats.
  public var loss: Double
  /// e to the loss: as uncertain as a uniform choice among this many tokens.
  public var perplexity: Double { exp(loss) }
  /// The loss in bits for each byte of text: comparable between tokenizers.
  public var bitsPerByte: Double
  /// Tokens predicted.
  public var tokens: Int
  /// Bytes they represent.
  public var bytes: Int
}

extension TransformerLM {
  /// For callers that report a loss of this model: a diverged run keeps such losses in its metrics.
  ///
  /// - Throws: ``GenerationError/notFinite(tensor:)``, which names the corrupt tensor, if the loss is non-finite.
  public func checkFinite(_ loss: Double) throws(GenerationError) {
    if !loss.isFinite { throw .notFinite(tensor: firstNonFiniteParameter) }
  }

  /// Predicts each token of `data` but the first once, in windows of at most `context` tokens.
  ///
  /// - Parameters:
  ///   - data: two tokens or more.
  ///   - tokenizer: gives the bytes of each token, for bits per byte.
  ///   - context: at most the model's context, which is the default.
  ///   - stride: tokens from the start of one window to that of the next; nil for `context`, windows that do not
  ///     overlap. A smaller one gives each prediction at least `context` - `stride` preceding tokens (except in the
  ///     first window) and takes `context` / `stride` times as long.
  ///   - batchSize: windows computed at a time; nil for as many as hold 8,192 tokens, at most 8.
  ///   - batches: how many batches to evaluate, evenly spaced; nil for all.
  public func evaluate(
    _ data: TokenDataset, tokenizer: any Tokenizer, context: Int? = nil, stride: Int? = nil, batchSize: Int? = nil,
    batches: Int? = nil
  ) throws -> Evaluation {
    let context = context ?? configuration.context
    let windows = try SequentialWindows(
      data, context: context, stride: stride, batchSize: batchSize ?? Swift.min(Swift.max(8192 / context, 1), 8))
    let chosen = Swift.min(batches ?? windows.batchCount, windows.batchCount)
    let byteCounts = tokenizer.byteCounts()
    var (nats, tokens, bytes) = (0.0, 0, 0)
    for i in 0..<chosen {
      let batch = windows.batch(i * windows.batchCount / chosen)
      let loss = withoutGradient { self.loss(batch.inputs, targets: batch.targets).item() }
      nats += Double(loss) * Double(batch.targetCount)
      tokens += batch.targetCount
      for target in batch.targets.array(of: Int32.self) where target >= 0 { bytes += Int(byteCounts[Int(target)]) }
    }
    let perByte = bytes == 0 ? 0 : NablaText.bitsPerByte(nats: nats, byteCount: bytes)
    return Evaluation(loss: nats / Double(Swift.max(tokens, 1)), bitsPerByte: perByte, tokens: tokens, bytes: bytes)
  }
}
