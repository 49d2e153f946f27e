import Dispatch
import NablaFormats
import NablaLanguage
import NablaTensor
import NablaText

/// The language model that steps look into: the reader's, or SmolLM2 where `make model` put it, or a small one with
/// random weights. One thread computes with it at a time.
public final class StudioModel: @unchecked Sendable {
  /// What is known of the model before it computes anything.
  public struct Facts: Encodable, Sendable {
    public var name: String
    /// Whether its weights were learned.
    public var isTrained: Bool
    public var layers: Int
    public var heads: Int
    public var keyValueHeads: Int
    public var headSize: Int
    public var width: Int
    public var vocabulary: Int
    public var context: Int
    public var parameters: Int
    public var isRotary: Bool
  }

  /// A model and what reads its text.
  public final class Loaded {
    public let model: TransformerLM
    public let tokenizer: any Tokenizer
    public let facts: Facts
    /// Its chat template and the tokens that end its answers; nil for the untrained model.
    let trained: TrainedModel?
    private var lastRead: (ids: [Int32], stream: [Tensor])?

    init(model: TransformerLM, tokenizer: any Tokenizer, facts: Facts, trained: TrainedModel? = nil) {
      (self.model, self.tokenizer, self.facts, self.trained) = (model, tokenizer, facts, trained)
    }

    /// The residual stream of the tokens, before each layer and after the last: [1, T, C] each. That of the last text is
    /// kept, as several laboratories look at it.
    public func stream(of ids: [Int32]) -> [Tensor] {
      if let lastRead, lastRead.ids == ids { return lastRead.stream }
      let stream = model.backbone.residualStream(Tensor(ids, [1, ids.count]))
      lastRead = (ids, stream)
      return stream
    }
  }

  static let fetchedPath = ".models/SmolLM2-135M-Instruct.Q4_1.gguf"
  private let path: String?
  private let turn = DispatchSemaphore(value: 1)
  // Safe: read and written only by the thread whose turn it is.
  private var loaded: Loaded?

  init(path: String?) {
    // An empty path asks for the untrained model.
    self.path = path == "" ? nil : path ?? (pathExists(Self.fetchedPath) ? Self.fetchedPath : nil)
  }

  /// Calls `body` with the model, which is loaded first if it has not been.
  ///
  /// - Parameter recordsGradients: Whether `body` takes gradients.
  public func use<Result>(recordsGradients: Bool = false, _ body: (Loaded) throws -> Result) throws -> Result {
    turn.wait()
    defer { turn.signal() }
    let model = try loaded ?? path.map(Self.load) ?? Self.untrained()
    loaded = model
    return recordsGradients ? try body(model) : try withoutGradient { try body(model) }
  }

  private static func load(_ path: String) throws -> Loaded {
    let trained = try TrainedModel(path)
    // Exact weights and activations are wanted here, not speed.
    trained.model.computeType = .float32
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return Loaded(
      model: trained.model, tokenizer: trained.tokenizer,
      facts: facts(trained.model, name: name, isTrained: true), trained: trained)
  }

  /// Bytes for tokens and random weights: it shows how attention is computed, not what training makes of it.
  private static func untrained() -> Loaded {
    var random = RandomSource(seed: 1)
    var configuration = TransformerConfiguration(
      vocabularySize: 256, context: 256, width: 64, layerCount: 4, headCount: 4, keyValueHeadCount: 2)
    configuration.tieEmbeddings = true
    let model = TransformerLM(configuration, random: &random)
    return Loaded(
      model: model, tokenizer: ByteTokenizer(),
      facts: facts(model, name: "a small model with random weights", isTrained: false))
  }

  private static func facts(_ model: TransformerLM, name: String, isTrained: Bool) -> Facts {
    let c = model.configuration
    return Facts(
      name: name, isTrained: isTrained, layers: c.layerCount, heads: c.headCount, keyValueHeads: c.keyValueHeadCount,
      headSize: c.headSize, width: c.width, vocabulary: c.vocabularySize, context: c.context,
      parameters: model.parameterCount, isRotary: c.positions == .rotary)
  }
}
