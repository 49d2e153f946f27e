import Glibc

/// The sizes of a decoder-only transformer with RMSNorm, rotary positions and SwiGLU, as in Llama.
public struct TransformerShape: Sendable, Codable, Hashable {
  /// V.
  public var vocabularySize: Int
  /// T.
  public var context: Int
  /// C, the hidden size.
  public var width: Int
  public var layerCount: Int
  /// H query heads.
  public var headCount: Int
  /// G key/value heads.
  public var keyValueHeadCount: Int
  /// D.
  public var headSize: Int
  /// F.
  public var feedForwardWidth: Int
  /// Whether the output layer is tied to the embedding.
  public var tieEmbeddings: Bool

  public init(
    vocabularySize: Int, context: Int, width: Int, layerCount: Int, headCount: Int, keyValueHeadCount: Int? = nil,
    headSize: Int? = nil, feedForwardWidth: Int? = nil, tieEmbeddings: Bool
  ) {
    self.vocabularySize = vocabularySize
    self.context = context
    self.width = width
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headSize = headSize ?? width / headCount
    self.feedForwardWidth = feedForwardWidth ?? (8 * width / 3 + 31) / 32 * 32
    self.tieEmbeddings = tieEmbeddings
  }

  /// Exactly: embedding and output V·C each (one when tied), a layer's query and output 2·C·H·D, key and value 2·C·G·D,
  /// feed-forward 3·C·F, two norms 2·C, and the last norm C.
  public var parameterCount: Int { embeddingCount + nonEmbeddingCount }
  /// Of embedding and output layer.
  public var embeddingCount: Int { vocabularySize * width * (tieEmbeddings ? 1 : 2) }
  /// N as counted by Kaplan et al.
  public var nonEmbeddingCount: Int { layerCount * layerParameterCount + width }

  var layerParameterCount: Int {
    2 * width * headSize * (headCount + keyValueHeadCount) + 3 * width * feedForwardWidth + 2 * width
  }

  /// The shape whose parameter count is nearest to `parameters`, with a usual ratio of width to layers: about 100 at
  /// 10⁹ parameters, 50 at 10⁷.
  ///
  /// Kaplan et al. (2020, figure 5) find nearly the same loss for ratios from about 50 to 150 at the same
  /// parameter count. Heads have size 64 up to a width of 1,024 and 128 beyond, where the width is a multiple of 256;
  /// above 10¹⁰ parameters it is one of 1,024, and eight key/value heads are shared by all. Embeddings are tied below
  /// 2·10⁹, where the output layer would be a large part.
  ///
  /// - Throws: ``PlanError`` when the embedding alone is larger.
  public static func nearest(
    parameters: Double, vocabularySize: Int, context: Int
  ) throws(PlanError) -> TransformerShape {
    let usual = min(110, max(30, 100 * pow(parameters / 1e9, 0.15)))
    var best: (shape: TransformerShape, cost: Double)?
    for step in 1...512 {
      for headSize in [16, 32, 64, 128] {
        let width = step * headSize
        let multiple = parameters >= 1e10 ? 8 : width > 1024 ? 2 : 1
        guard step % multiple == 0, headSize == Self.headSize(width: width) else { continue }
        var shape = TransformerShape(
          vocabularySize: vocabularySize, context: context, width: width, layerCount: 1, headCount: step,
          headSize: headSize, tieEmbeddings: parameters < 2e9)
        if parameters >= 1e10 { shape.keyValueHeadCount = 8 }
        let layers = (parameters - Double(shape.embeddingCount)) / Double(shape.layerParameterCount)
        guard layers > 0.5, layers < 1_000 else { continue }
        shape.layerCount = max(1, Int(layers.rounded()))
        let miss = log(Double(shape.parameterCount) / parameters) / 0.02
        let ratio = log(Double(width) / Double(shape.layerCount) / usual) / 0.35
        let cost = miss * miss + ratio * ratio
        if cost < best?.cost ?? .infinity { best = (shape, cost) }
      }
    }
    guard let best, abs(log(Double(best.shape.parameterCount) / parameters)) < 0.25 else {
      throw PlanError(
        "no transformer with a vocabulary of \(vocabularySize) has about \(parameters.rounded()) parameters: "
          + "a smaller vocabulary would leave room for layers")
    }
    return best.shape
  }

  /// The usual size of a head in a model of this width.
  static func headSize(width: Int) -> Int { width < 256 ? 16 : width < 512 ? 32 : width <= 1024 ? 64 : 128 }
}
