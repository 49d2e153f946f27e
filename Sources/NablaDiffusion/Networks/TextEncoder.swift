import NablaNN
import NablaTensor

/// Encoded texts.
public struct TextContext: Sendable {
  /// [B, words, width].
  public var states: Tensor
  /// [B] int32: the number of words of each.
  public var lengths: Tensor

  public init(states: Tensor, lengths: Tensor) { (self.states, self.lengths) = (states, lengths) }
}

/// A small transformer over the words of captions, trained jointly with the network that uses it.
public final class TextEncoder: Module {
  @Named("word_embedding") var words: Embedding
  @Named("position_embedding") var positions: Embedding
  @Named("layers") var layers: [TransformerBlock]
  @Named("norm") var norm: Norm
  public let vocabulary: CaptionVocabulary
  public let maximumLength: Int
  /// Words of a caption that are read.
  public static let standardLength = 16

  public init(
    _ vocabulary: CaptionVocabulary, width: Int = 64, depth: Int = 2, headCount: Int = 4,
    maximumLength: Int = standardLength,
    random: inout RandomSource
  ) {
    precondition(width % headCount == 0, "TextEncoder: \(headCount) heads of a width of \(width)")
    (self.vocabulary, self.maximumLength) = (vocabulary, maximumLength)
    super.init()
    words = Embedding(vocabulary.count, width, standardDeviation: 0.5, random: &random)
    positions = Embedding(maximumLength, width, standardDeviation: 0.1, random: &random)
    let block = BlockConfiguration(
      attention: AttentionConfiguration(width: width, headCount: headCount, bias: true, causal: false),
      feedForwardWidth: 4 * width, feedForward: .gelu, feedForwardBias: true, norm: .layer, normPlacement: .pre)
    layers = []
    for _ in 0..<depth {
      layers.append(
        TransformerBlock(
          block, standardDeviation: 1 / Float(width).squareRoot(), outputDeviation: 0.5 / Float(width).squareRoot(),
          random: &random))
    }
    norm = Norm(width, kind: .layer)
  }

  /// Word numbers of each text, at least one each; those beyond `maximumLength` are dropped.
  public func callAsFunction(_ texts: [[Int32]]) -> TextContext {
    let texts = texts.map { Array($0.prefix(maximumLength)) }
    precondition(!texts.isEmpty && texts.allSatisfy { !$0.isEmpty }, "TextEncoder: a text without words")
    let length = texts.map(\.count).max()!
    let padded = texts.flatMap { $0 + Array(repeating: CaptionVocabulary.none, count: length - $0.count) }
    let lengths = Tensor(texts.map { Int32($0.count) })
    var x = words(Tensor(padded, [texts.count, length])) + positions(Tensor((0..<length).map { Int32($0) }))
    var random: RandomSource?
    for layer in layers { x = layer(x, keyLengths: lengths, random: &random) }
    return TextContext(states: norm(x), lengths: lengths)
  }
}
