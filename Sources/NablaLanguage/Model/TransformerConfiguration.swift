import NablaNN
import NablaTraining

/// The architecture of a transformer language model.
public struct TransformerConfiguration: Codable, Sendable, Hashable {
  /// V: the vocabulary size, the rows of the embedding.
  public var vocabularySize: Int
  /// T: the maximum number of positions of a sequence.
  public var context: Int
  /// C: the hidden size, the width of the residual stream.
  public var width: Int
  public var layerCount: Int
  /// H: query heads.
  public var headCount: Int
  /// G: key/value heads; divides `headCount`.
  public var keyValueHeadCount: Int
  /// D: the head size. Even with rotary positions.
  public var headSize: Int
  /// The hidden size of the feed-forward layers.
  public var feedForwardWidth: Int
  public var feedForward: FeedForwardKind = .swiglu
  public var norm: NormKind = .rms
  public var normPlacement: NormPlacement = .pre
  /// ε inside the norms' square root.
  public var normEpsilon: Float = 1e-5
  public var positions: PositionKind = .rotary
  /// The base θ of rotary frequencies.
  public var rotaryBase: Double = 10_000
  public var rotaryScaling: RotaryScaling = .none
  /// Whether the output layer is the embedding.
  public var tieEmbeddings: Bool = true
  /// Whether linear layers have biases.
  public var bias: Bool = false
  /// Whether the projections of queries, keys and values have biases; nil for the same as `bias` (in Qwen 2 only they
  /// do).
  public var queryKeyValueBias: Bool?
  /// Whether the feed-forward network has biases; nil for the value of `bias`.
  public var feedForwardBias: Bool?
  /// Normalization of each head's queries and keys before rotation; nil for none (Qwen 3 has `rms`).
  public var headNorm: NormKind?
  /// Probability of dropping, in training, an element of the embedding and of what each sublayer adds.
  public var dropout: Float = 0
  /// The sliding attention window in positions, including the current one; nil for none.
  public var window: Int?
  /// The first layer with the window; those before it have none. Nil for every layer.
  public var firstWindowLayer: Int?

  public init(
    vocabularySize: Int, context: Int, width: Int, layerCount: Int, headCount: Int, keyValueHeadCount: Int? = nil,
    headSize: Int? = nil, feedForwardWidth: Int? = nil, feedForward: FeedForwardKind = .swiglu
  ) {
    self.vocabularySize = vocabularySize
    self.context = context
    self.width = width
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headSize = headSize ?? width / Swift.max(headCount, 1)
    self.feedForward = feedForward
    self.feedForwardWidth = feedForwardWidth ?? Self.feedForwardWidth(for: width, feedForward)
  }

  /// Four times the hidden size; two thirds of that for SwiGLU, which has three matrices instead of two, rounded up to
  /// a multiple of 32.
  public static func feedForwardWidth(for width: Int, _ kind: FeedForwardKind) -> Int {
    // A width from a file may be anything until it is validated.
    let width = min(width, largestSize)
    return kind == .swiglu ? (8 * width / 3 + 31) / 32 * 32 : 4 * width
  }

  /// The maximum of any one size: keeps products of sizes far from overflowing.
  public static let largestSize = 1 << 24

  /// - Throws: `ConfigurationError` for invalid sizes.
  public func validate() throws(ConfigurationError) {
    func require(_ condition: Bool, _ problem: @autoclosure () -> String) throws(ConfigurationError) {
      if !condition { throw ConfigurationError(problem: problem()) }
    }
    let sizes = [
      ("vocabulary", vocabularySize), ("context", context), ("width", width), ("layers", layerCount),
      ("heads", headCount), ("kv-heads", keyValueHeadCount), ("feed-forward-width", feedForwardWidth),
    ]
    for (name, size) in sizes {
      try require(size >= 1, "\(name) must be at least 1, not \(size)")
      try require(size <= Self.largestSize, "\(name) must be at most \(Self.largestSize), not \(size)")
    }
    try require((1...256).contains(headSize), "a head size of \(headSize) is not in 1...256: change --heads or --width")
    try require(
      width % headCount == 0 || headSize != width / headCount, "\(headCount) heads do not divide width \(width)")
    try require(
      headCount % keyValueHeadCount == 0, "\(keyValueHeadCount) key/value heads do not divide \(headCount) heads")
    try require(
      positions != .rotary || headSize % 2 == 0, "rotary positions require an even head size, not \(headSize)")
    try require(dropout >= 0 && dropout < 1, "dropout must be at least 0 and less than 1, not \(dropout)")
    try require(
      window.map { (1...Self.largestSize).contains($0) } ?? true,
      "the attention window must be between 1 and \(Self.largestSize)")
    try require(headNorm != .layer, "heads can be normalized only by root mean square (rms)")
    try require(
      normEpsilon >= 0 && normEpsilon.isFinite, "the norms' epsilon must be finite and 0 or more, not \(normEpsilon)")
    try require(rotaryBase > 0 && rotaryBase.isFinite, "the base of rotary frequencies must be positive")
    try require(
      positions == .learned || context * (positions == .rotary ? headSize : width) <= 1 << 27,
      "a context of \(context) requires position tables of more than half a gigabyte")
    if positions == .rotary {
      if case .longrope(let short, let long, _, let extended, _) = rotaryScaling {
        try require(
          short.count == headSize / 2 && long.count == headSize / 2,
          "LongRoPE needs \(headSize / 2) short and long factors, not \(short.count) and \(long.count)")
        try require(context <= extended, "a context of \(context) is more than LongRoPE's \(extended)")
      }
      let (frequencies, scale) = rotaryFrequencies(
        size: headSize, base: rotaryBase, scaling: rotaryScaling, context: context)
      try require(
        scale.isFinite && frequencies.allSatisfy(\.isFinite), "the rotary scaling's factors give non-finite frequencies"
      )
    }
  }

  /// Parameters of the model, to within one part in a thousand; `Int.max` if there are more.
  var parameterCount: Int {
    let (c, d) = (Double(width), Double(headSize))
    let attention = 2 * c * d * Double(headCount + keyValueHeadCount)
    let feedForwardMatrices = feedForward == .swiglu ? 3.0 : 2.0
    let layer = attention + feedForwardMatrices * c * Double(feedForwardWidth)
    let tables = Double(vocabularySize) * (tieEmbeddings ? 1 : 2) + (positions == .learned ? Double(context) : 0)
    return Int(exactly: (Double(layerCount) * layer + tables * c).rounded()) ?? .max
  }

  /// The attention of layer `index`.
  public func attention(layer index: Int = 0) -> AttentionConfiguration {
    AttentionConfiguration(
      width: width, headCount: headCount, keyValueHeadCount: keyValueHeadCount, headSize: headSize,
      bias: queryKeyValueBias ?? bias, outputBias: bias, window: index >= firstWindowLayer ?? 0 ? window : nil,
      headNormEpsilon: headNorm == nil ? nil : normEpsilon)
  }

  func block(layer index: Int) -> BlockConfiguration {
    BlockConfiguration(
      attention: attention(layer: index), feedForwardWidth: feedForwardWidth, feedForward: feedForward,
      feedForwardBias: feedForwardBias ?? bias,
      norm: norm, normPlacement: normPlacement, normEpsilon: normEpsilon, dropout: dropout)
  }
}
