import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// A base model and its trained part: adapters on its frozen layers, or all of it.
///
/// ```swift
/// let tuned = try TunedModel(.init("model.gguf"), configuration, keepsReference: true, random: &random)
/// let policy = tuned.model.logProbabilities(tokens, targets: targets)
/// let reference = tuned.reference { $0.logProbabilities(tokens, targets: targets) }
/// ```
///
/// The reference of a preference loss or a KL penalty is the model before training. With adapters there is no second
/// model in memory: it is the base with the adapter disabled, or, if training starts from an adapter, a frozen copy of
/// that.
public final class TunedModel {
  /// What the run starts from.
  public struct Source: Codable, Sendable, Hashable {
    /// The file or folder of the base model.
    public var base: String
    public var quantization: BaseQuantization
    /// The adapter that training starts from, a PEFT folder; nil for a new one.
    public var adapter: String?
    /// SHA-256 of its weights.
    public var adapterHash: String?
    /// What it was made with: training keeps its shape.
    public var lora: LoRAConfiguration?
    /// The chat template in place of the base's own: that of the rows, or else of the run that training starts from.
    public var template: String?

    /// - Parameters:
    ///   - path: what `TrainedModel` accepts: a run that trained an adapter stands for its base and that adapter.
    ///   - quantization: of the base's layers; if none, that of the run, if it had one.
    public init(_ path: String, quantization: BaseQuantization = .none) throws {
      (base, self.quantization) = (absolutePath(path), quantization)
      guard let run = try AdapterRun(path) else { return }
      (base, adapter) = (try RunFolder.locate(run.base, of: path), absolutePath(run.adapter))
      if quantization == .none { self.quantization = run.quantization }
      adapterHash = try SHA256.hexadecimal(ofFile: "\(run.adapter)/\(AdapterFolder.weightsName)")
      lora = try AdapterFolder.configuration(in: run.adapter)
      template = run.chatTemplate
    }

    /// The same with another chat template; nil leaves it.
    func templated(_ template: String?) -> Source {
      var copy = self
      if let template { copy.template = template }
      return copy
    }

    /// The base model of a resumed run, even if it has moved along with the run.
    func located(of run: String) throws -> Source {
      var copy = self
      copy.base = try RunFolder.locate(base, of: run)
      copy.adapter = try adapter.map { try RunFolder.locate($0, of: run) }
      return copy
    }
  }

  /// The names of the trained adapter and of the one that training started from.
  public static let policyName = "policy"
  static let startName = "start"

  public let source: Source
  public let trained: TrainedModel
  public let kind: AdapterKind
  /// The reference of full fine-tuning, if it is kept.
  private let frozen: TransformerLM?

  public var model: TransformerLM { trained.model }
  public var text: PretrainedTokenizer { trained.text }
  public var tokenizer: any Tokenizer { trained.tokenizer }

  /// - Parameters:
  ///   - source: the base model, and the adapter to start from.
  ///   - configuration: the kind of adapter, its rank and dropout, and the precision. What is at its default is as in
  ///     the adapter to start from.
  ///   - keepsReference: whether ``reference(_:)`` will be asked for; full fine-tuning then keeps the base's weights.
  ///   - allowsScores: whether the source may be a reward model, or its adapter: who asks for it reads the head.
  ///   - random: draws new adapters.
  /// - Throws: `ConfigurationError` for a setting that the adapter to start from has otherwise, and what reading the
  ///   files throws.
  public init(
    _ source: Source, _ configuration: TuningConfiguration, keepsReference: Bool = false, allowsScores: Bool = false,
    random: inout RandomSource
  ) throws {
    let configuration = configuration.starting(from: source)
    (self.source, kind) = (source, configuration.adapter)
    trained = try TrainedModel(source.base, precision: configuration.precision, allowingScores: allowsScores)
      .templated(source.template)
    let model = trained.model
    model.computeType = configuration.precision.computeType
    model.checkpointsActivations = configuration.activationCheckpointing
    try model.quantizeLayers(source.quantization)
    if let adapter = source.adapter {
      let hash = try SHA256.hexadecimal(ofFile: "\(adapter)/\(AdapterFolder.weightsName)")
      if hash != source.adapterHash { throw AlignmentError.otherAdapter(path: adapter) }
      try AdapterFolder.load(
        adapter, into: model, as: Self.policyName, isTrainable: true, dropout: configuration.loraDropout,
        allowsScore: allowsScores)
      try configuration.checkAdapter(of: source, in: model)
    }
    if let lora = configuration.lora {
      if source.adapter != nil {
        try model.copyAdapter(Self.policyName, as: Self.startName)
      } else {
        model.freeze()
        try model.addAdapter(Self.policyName, lora, random: &random)
      }
      model.useAdapter(Self.policyName)
      frozen = nil
    } else {
      if source.adapter != nil { try model.mergeAdapter(Self.policyName) }
      model.apply { $0.value.cast(.float32) }
      model.unfreeze()
      frozen = keepsReference ? TransformerLM(copying: model) : nil
      frozen?.freeze()
    }
  }

  /// The number of trained parameters.
  public var trainedCount: Int { model.trainableParameters().reduce(0) { $0 + $1.value.count } }

  /// Sets the random source for the dropout of adapters in the following passes; nil, as in evaluation and sampling,
  /// for none.
  public func setDropout(_ random: RandomSource?) { model.setDropout(of: Self.policyName, random: random) }

  /// Runs `body` with the reference model, without gradients and dropout. The policy is active
  /// again afterward.
  public func reference<Result>(_ body: (TransformerLM) throws -> Result) rethrows -> Result {
    setDropout(nil)
    return try withoutGradient {
      if kind == .none {
        guard let frozen else { preconditionFailure("TunedModel.reference: the reference was not kept") }
        return try body(frozen)
      }
      model.useAdapter(source.adapter == nil ? nil : Self.startName)
      defer { model.useAdapter(Self.policyName) }
      return try body(model)
    }
  }

  /// Runs `body` with another adapter of the base in use, without gradients; nil leaves the policy's. The policy is in use
  /// again afterwards.
  func using<Result>(_ adapter: String?, _ body: () throws -> Result) rethrows -> Result {
    if let adapter { model.useAdapter(adapter) }
    defer { if adapter != nil { model.useAdapter(Self.policyName) } }
    return try withoutGradient(body)
  }

  /// What the reference's numbers depend on, as 64 hexadecimal digits: keys what is cached of them.
  public func referenceHash() throws -> String {
    let files =
      isFolder(trained.path)
      ? try folderEntries(trained.path).filter { $0.hasSuffix(".safetensors") }.sorted().map { "\(trained.path)/\($0)" }
      : [trained.path]
    let parts =
      try files.map { try SHA256.hexadecimal(ofFile: $0) }
      + [source.quantization.rawValue, source.adapterHash ?? "none", "\(model.computeType)"]
    return SHA256.hexadecimal(of: Array(parts.joined(separator: " ").utf8))
  }
}
