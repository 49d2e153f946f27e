import ArgumentParser
import Nabla

/// Flags that change the preset's model.
struct ModelOptions: ParsableArguments {
  @Option(help: help("Transformer blocks", "n") { $0.model.layerCount })
  var layers: Int?
  @Option(
    help: help("Numbers that stand for a token between the blocks; a multiple of --heads", "n") { $0.model.width })
  var width: Int?
  @Option(help: help("Attention heads", "n") { $0.model.headCount })
  var heads: Int?
  @Option(
    help: ArgumentHelp(
      "Key and value heads; fewer than --heads, and dividing it, for grouped-query attention (default: as --heads).",
      valueName: "n"))
  var kvHeads: Int?
  @Option(
    help: ArgumentHelp(
      "Width inside the feed-forward part (default: 4 times --width, or 8/3 of it for swiglu).", valueName: "n"))
  var feedForwardWidth: Int?
  @Option(help: help("Tokens the model sees at once", "n") { $0.model.context })
  var context: Int?
  @Option(
    help: help("What text is cut into: bytes, characters, or byte pairs learned from the text", "kind") {
      $0.tokenizer.rawValue
    })
  var tokenizer: TokenizerKind?
  @Option(
    help: help("Tokens in the vocabulary that --tokenizer bpe learns, 257 or more", "n") {
      $0.tokenizer == .bpe ? "\($0.model.vocabularySize)" : "none"
    })
  var vocabulary: Int?
  @Option(help: help("How the model tells positions apart", "kind") { $0.model.positions.rawValue })
  var positions: PositionKind?
  @Option(help: help("Normalization: root mean square, or LayerNorm", "kind") { $0.model.norm.rawValue })
  var norm: NormKind?
  @Option(
    help: help("Whether the norms stand before each part or after it", "place") { $0.model.normPlacement.rawValue })
  var normPlacement: NormPlacement?
  @Option(help: help("The feed-forward part's activation", "kind") { $0.model.feedForward.rawValue })
  var feedForward: FeedForwardKind?
  @Flag(
    inversion: .prefixedNo,
    help: help("Let the output layer share the weights of the embedding", "") { $0.model.tieEmbeddings ? "yes" : "no" })
  var tieEmbeddings: Bool?
  @Flag(inversion: .prefixedNo, help: help("Give linear layers biases", "") { $0.model.bias ? "yes" : "no" })
  var bias: Bool?
  @Option(
    help: help("Probability, from 0 to below 1, of dropping an element while training", "p") { $0.model.dropout })
  var dropout: Float?
  @Option(
    help: ArgumentHelp("Tokens back that attention reaches (default: the whole context).", valueName: "n"))
  var window: Int?

  func applied(to preset: Preset) throws -> (tokenizer: TokenizerKind, model: TransformerConfiguration) {
    var c = preset.model
    let tokenizer = tokenizer ?? preset.tokenizer
    if let vocabulary {
      guard tokenizer == .bpe else {
        throw ValidationError("--vocabulary is for --tokenizer bpe; with \(tokenizer.rawValue) the text decides it")
      }
      guard vocabulary >= 257 else {
        throw ValidationError(
          "--vocabulary must be at least 257 (256 bytes and the end of a text), not \(vocabulary)")
      }
      c.vocabularySize = vocabulary
    } else if tokenizer == .bpe, preset.tokenizer != .bpe {
      c.vocabularySize = Preset.all[0].model.vocabularySize
    }
    c.layerCount = layers ?? c.layerCount
    c.width = width ?? c.width
    c.headCount = heads ?? c.headCount
    // A preset's grouping holds for its own number of heads only.
    let isGrouped = heads == nil && preset.model.headCount != preset.model.keyValueHeadCount
    c.keyValueHeadCount = kvHeads ?? (isGrouped ? c.keyValueHeadCount : c.headCount)
    c.headSize = c.headCount > 0 ? c.width / c.headCount : 0
    c.feedForward = feedForward ?? c.feedForward
    if width != nil || feedForward != nil, (1...TransformerConfiguration.largestSize).contains(c.width) {
      c.feedForwardWidth = TransformerConfiguration.feedForwardWidth(for: c.width, c.feedForward)
    }
    c.feedForwardWidth = feedForwardWidth ?? c.feedForwardWidth
    c.context = context ?? c.context
    c.positions = positions ?? c.positions
    c.norm = norm ?? c.norm
    c.normPlacement = normPlacement ?? c.normPlacement
    c.tieEmbeddings = tieEmbeddings ?? c.tieEmbeddings
    c.bias = bias ?? c.bias
    c.dropout = dropout ?? c.dropout
    c.window = window ?? c.window
    guard c.headCount < 1 || c.width % c.headCount == 0 else {
      throw ValidationError(
        "\(c.headCount) heads do not divide width \(c.width): make --width a multiple of --heads")
    }
    return (tokenizer, c)
  }

  /// A flag that was given, as `--name`; nil when none was.
  var given: String? {
    firstGiven([
      ("layers", layers), ("width", width), ("heads", heads), ("kv-heads", kvHeads),
      ("feed-forward-width", feedForwardWidth), ("context", context), ("tokenizer", tokenizer),
      ("vocabulary", vocabulary), ("positions", positions), ("norm", norm), ("norm-placement", normPlacement),
      ("feed-forward", feedForward), ("tie-embeddings", tieEmbeddings), ("bias", bias), ("dropout", dropout),
      ("window", window),
    ])
  }
}

/// The first flag that has a value, as `--name`.
func firstGiven(_ flags: [(name: String, value: Any?)]) -> String? {
  flags.first { $0.value != nil }.map { "--\($0.name)" }
}

extension TokenizerKind: ExpressibleByArgument {}
extension PositionKind: ExpressibleByArgument {}
extension NormKind: ExpressibleByArgument {}
extension NormPlacement: ExpressibleByArgument {}
extension FeedForwardKind: ExpressibleByArgument {}
