import NablaFormats
import NablaTensor
import NablaText
import NablaTraining

/// A model loaded from a path, with everything needed to use it.
///
/// ```swift
/// let trained = try TrainedModel("SmolLM2-135M-Instruct.Q4_1.gguf")
/// var chat = ChatSession(trained)
/// for try await piece in try chat.send("Hello!").stream() { print(piece.text, terminator: "") }
/// ```
///
/// Weights stay in the mapped file in their stored type, so that loading takes almost no time and memory.
public struct TrainedModel {
  /// The file or folder of the model.
  public let path: String
  public let model: TransformerLM
  /// The tokenizer, the beginning- and end-of-text tokens, and the chat template.
  public private(set) var text: PretrainedTokenizer
  /// The model's recommended generation settings.
  public let generation: GenerationDefaults
  /// The weight [1, C] of a reward model's head; nil for a language model.
  public private(set) var score: Tensor?

  public var tokenizer: any Tokenizer { text.tokenizer }
  /// Unsupported settings in the model's files, and which of a run's models this is, as sentences.
  public var notes: [String] { text.notes + generation.notes + judgements }
  private let judgements: [String]

  /// - Parameters:
  ///   - path: a run folder (its finished model, or else its newest good checkpoint), a Hugging Face folder, or a GGUF
  ///     file (or a folder with one). For a run that trained an adapter, the base model that the run names, with the
  ///     adapter.
  ///   - precision: of matrix multiplications; automatic takes the fastest that the CPU supports.
  /// - Throws: an error that names the file, and the field or tensor that does not fit.
  public init(_ path: String, precision: Precision = .automatic) throws {
    try self.init(path, precision: precision, allowingScores: false)
  }

  /// - Parameter allowsScores: whether the path may be that of a reward model, which has ``score`` and writes no text.
  package init(_ path: String, precision: Precision, allowingScores allowsScores: Bool) throws {
    if let run = try AdapterRun(path) {
      try self.init(run.base, precision: precision, allowingScores: allowsScores)
      try model.quantizeLayers(run.quantization)
      model.computeType = precision.computeType(for: model)
      try addAdapters([path], allowingScores: allowsScores)
      if allowsScores, let own = try AdapterFolder.score(in: run.adapter, width: model.configuration.width) {
        score = own
      }
      self = templated(run.chatTemplate)
      return
    }
    let path = try GGUFFile.path(meantBy: path)
    if try GGUFFile.isGGUF(path) {
      try self.init(gguf: path)
    } else {
      try self.init(folder: ModelFolder.path(of: path), allowingScores: allowsScores)
    }
    model.computeType = precision.computeType(for: model)
    try text.checkVocabulary(of: model.configuration, path: self.path)
  }

  private init(gguf path: String) throws {
    let gguf = try GGUFModel(path: path)
    model = .unset(gguf.configuration)
    try model.load(gguf.state(), keepingTypes: true)
    text = try PretrainedTokenizer(gguf.file.metadata)
    generation = try GenerationDefaults(gguf.file.metadata)
    self.path = path
    judgements = []
    score = nil
  }

  private init(folder: String, allowingScores: Bool) throws {
    if allowingScores {
      (model, score) = try ModelFolder.read(folder, keepingTypes: true)
    } else {
      (model, score) = (try ModelFolder.load(folder, keepingTypes: true), nil)
    }
    text = try PretrainedTokenizer.load(folder)
    generation = try GenerationDefaults(folder: folder, vocabularySize: model.configuration.vocabularySize)
    path = folder
    judgements = try BestModel.read(in: folder)?.note.map { [$0] } ?? []
  }

  /// The same with another chat template; nil for the model's own.
  package func templated(_ template: String?) -> TrainedModel {
    guard let template else { return self }
    var copy = self
    copy.text = text.templated(template)
    return copy
  }

  /// Tokens that end a text: those named in the tokenizer's and the model's files.
  public var endTokens: Set<Int32> {
    let named = text.endTokens.union(generation.endTokens)
    return named.isEmpty ? Set([tokenizer.endOfText].compactMap { $0 }) : named
  }

  /// A generator that begins and ends texts as in the model's training, with its own engine.
  ///
  /// - Parameters:
  ///   - options: nil for the model's recommended options, or otherwise `SamplingOptions()`.
  ///   - seed: of the first text; each further one has its own random stream.
  ///   - cacheType: of keys and values: bfloat16, float32 or 8 bits.
  ///   - limits: of the cache, in bytes and texts.
  public func generator(
    options: SamplingOptions? = nil, seed: UInt64 = 1, cacheType: CacheType = .bfloat16,
    limits: InferenceLimits = .init()
  ) -> TextGenerator {
    var generator = TextGenerator(
      model, tokenizer: tokenizer, sampling: options ?? generation.sampling ?? .init(), seed: seed,
      cacheType: cacheType,
      limits: limits)
    generator.stopTokens = endTokens
    if let first = text.id(of: "bos_token") ?? generation.beginToken { generator.firstToken = first }
    return generator
  }
}

extension PretrainedTokenizer {
  /// - Throws: an error if the model has fewer tokens than the tokenizer: they do not match.
  func checkVocabulary(of c: TransformerConfiguration, path: String) throws(ModelFolderError) {
    guard tokenizer.vocabularySize <= c.vocabularySize else {
      throw ModelFolderError(
        file: path,
        problem: "the tokenizer has \(tokenizer.vocabularySize) tokens, but the model has \(c.vocabularySize)")
    }
  }
}
