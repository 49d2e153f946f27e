import Dispatch
import NablaFormats
import NablaLanguage
import NablaTensor
import NablaText

/// The language model that steps look into: the reader's, or SmolLM2 where `make model` put it, or the small one that the
/// studio trains; until that is done, one of the same shape with random weights. One thread computes with it at a time.
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

  package static let fetchedPath = ".models/SmolLM2-135M-Instruct.Q4_1.gguf"
  /// The model that is trained where there is no other; nil where there is one, or none is wanted.
  public let recipe: SmallModelRecipe?
  private let path: String?
  private let turn = DispatchSemaphore(value: 1)
  // Safe: read and written only by the thread whose turn it is.
  private var loaded: Loaded?

  /// - Parameters:
  ///   - path: Nil for the fetched model; empty for the untrained one.
  ///   - recipe: Used where `path` is nil and no model was fetched.
  package init(path: String?, fetched: String = fetchedPath, recipe: SmallModelRecipe?) {
    self.path = path == "" ? nil : path ?? (pathExists(fetched) ? fetched : nil)
    self.recipe = path == nil && self.path == nil ? recipe : nil
  }

  /// What tells models of one program apart, known without waiting for a turn: what a model wrote is kept by it.
  var identity: String { path ?? (recipe?.isFinished == true ? recipe!.folder : "") }

  /// What the model of the answer that is being computed is called; nil where none took part.
  @TaskLocal static var use: Use?
  final class Use: @unchecked Sendable {
    // Safe: one thread computes an answer.
    var name: String?
  }

  /// Calls `body` with the model, which is loaded first if it has not been.
  ///
  /// - Parameter recordsGradients: Whether `body` takes gradients.
  public func use<Result>(recordsGradients: Bool = false, _ body: (Loaded) throws -> Result) throws -> Result {
    turn.wait()
    defer { turn.signal() }
    if let loaded, !loaded.facts.isTrained, recipe?.isFinished == true { self.loaded = nil }
    let model = try loaded ?? load()
    loaded = model
    Self.use?.name = model.facts.name
    return recordsGradients ? try body(model) : try withoutGradient { try body(model) }
  }

  private func load() throws -> Loaded {
    if let path {
      return try Self.load(path, name: path.split(separator: "/").last.map(String.init) ?? path)
    }
    if let recipe, recipe.isFinished {
      return try Self.load(recipe.folder, name: "a small model trained on \(recipe.text)")
    }
    return try untrained()
  }

  private static func load(_ path: String, name: String) throws -> Loaded {
    let trained = try TrainedModel(path)
    // Exact weights and activations are wanted here, not speed.
    trained.model.computeType = .float32
    return Loaded(
      model: trained.model, tokenizer: trained.tokenizer,
      facts: Self.facts(trained.model, name: name, isTrained: true), trained: trained)
  }

  /// Bytes for tokens and random weights: it shows how attention is computed, not what training makes of it. Where one is
  /// being trained it has that one's shape, so that controls fit both.
  private func untrained() throws -> Loaded {
    var random = RandomSource(seed: 1)
    var configuration =
      recipe != nil
      ? try SmallModelRecipe.preset(steps: nil).model
      : TransformerConfiguration(
        vocabularySize: 256, context: 256, width: 64, layerCount: 4, headCount: 4, keyValueHeadCount: 2)
    configuration.vocabularySize = 256
    configuration.tieEmbeddings = true
    let model = TransformerLM(configuration, random: &random)
    return Loaded(
      model: model, tokenizer: ByteTokenizer(),
      facts: Self.facts(model, name: "a small model with random weights", isTrained: false))
  }

  private static func facts(_ model: TransformerLM, name: String, isTrained: Bool) -> Facts {
    let c = model.configuration
    return Facts(
      name: name, isTrained: isTrained, layers: c.layerCount, heads: c.headCount, keyValueHeads: c.keyValueHeadCount,
      headSize: c.headSize, width: c.width, vocabulary: c.vocabularySize, context: c.context,
      parameters: model.parameterCount, isRotary: c.positions == .rotary)
  }
}
