/// The FLOPs of training, counted in three ways. A multiply-add counts as two.
public struct TrainingFLOPs: Sendable, Hashable {
  /// 6ND: two per parameter and token forward, four backward; without attention over the context (Kaplan et al. 2020).
  public var sixND: Double
  /// D (6N + 12·L·H·Q·T): with attention (Chowdhery et al. 2022, appendix B, where it defines the model FLOP
  /// utilization; H heads of size Q).
  public var palm: Double
  /// Every operation of Chinchilla's appendix F: embedding and output as matrix multiplications, softmax, all
  /// projections. The paper counts two feed-forward matrices and as many key as query heads; here they are what the
  /// shape has.
  public var chinchilla: Double

  /// - Parameters:
  ///   - shape: Of the model.
  ///   - tokens: D, in sequences of the shape's context.
  public init(_ shape: TransformerShape, tokens: Double) {
    sixND = 6 * Double(shape.parameterCount) * tokens
    let (layers, context) = (Double(shape.layerCount), Double(shape.context))
    let attentionWidth = Double(shape.headCount * shape.headSize)
    palm = sixND + 12 * layers * attentionWidth * context * tokens

    let (c, v) = (Double(shape.width), Double(shape.vocabularySize))
    let keyValueWidth = Double(shape.keyValueHeadCount * shape.headSize)
    // Of one token forward.
    let embedding = 2 * v * c
    let projections = 2 * c * (attentionWidth + 2 * keyValueWidth) + 2 * attentionWidth * c
    let attention = 2 * context * attentionWidth + 3 * Double(shape.headCount) * context + 2 * context * attentionWidth
    let feedForward = 2 * 3 * c * Double(shape.feedForwardWidth)
    let logits = 2 * c * v
    // Backward is twice forward.
    chinchilla = 3 * tokens * (embedding + layers * (projections + attention + feedForward) + logits)
  }
}
