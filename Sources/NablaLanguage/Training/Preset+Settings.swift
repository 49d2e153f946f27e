import Glibc
import NablaFormats
import NablaNN
import NablaTraining

extension FeedForwardKind: SettingValue {}
extension NormKind: SettingValue {}
extension NormPlacement: SettingValue {}
extension PositionKind: SettingValue {}

extension TransformerConfiguration {
  /// The settings of the model to train.
  static let settings: [Setting<TransformerConfiguration>] = {
    let size = SettingRange<Int>.range(1...largestSize)
    return [
      Setting("layers", \.layerCount, in: size, "Transformer blocks"),
      Setting("width", \.width, in: size, "Hidden size, a multiple of the number of heads"),
      Setting("heads", \.headCount, in: size, "Attention heads"),
      Setting(
        "kv-heads", \.keyValueHeadCount, in: size,
        "Key/value heads; a divisor of the number of heads, fewer for grouped-query attention"),
      Setting("feed-forward-width", \.feedForwardWidth, in: size, "Hidden size of the feed-forward network"),
      Setting("context", \.context, in: size, "Context length in tokens"),
      Setting("positions", \.positions, "Position encoding"),
      Setting("norm", \.norm, "Normalization: RMSNorm or LayerNorm"),
      Setting("norm-placement", \.normPlacement, "Normalization before or after each sublayer", valueName: "place"),
      Setting("feed-forward", \.feedForward, "Activation of the feed-forward network"),
      Setting("tie-embeddings", \.tieEmbeddings, "Shared weights of embedding and output layer"),
      Setting("bias", \.bias, "Biases in linear layers"),
      Setting("dropout", \.dropout, in: .fraction, "Dropout probability in training", valueName: "p"),
      Setting("window", \.window, in: .optional(size), "Sliding attention window in tokens"),
    ]
  }()
}

extension Preset {
  /// All settings of pretraining.
  public static let settings: [Setting<Preset>] = modelSettings + trainingSettings
  public static let modelSettings: [Setting<Preset>] =
    TransformerConfiguration.settings.map { $0.within(\.model) } + [
      Setting("tokenizer", \.tokenizer, "Tokenizer: bytes, characters, or byte-pair encoding trained on the text"),
      Setting(
        "vocabulary", \.model.vocabularySize,
        in: SettingRange("at least 257 (256 bytes and the end-of-text token)") { $0 >= 257 },
        "Vocabulary size of the bpe tokenizer, 257 or more"),
    ]
  public static let trainingSettings: [Setting<Preset>] =
    PretrainingConfiguration.settings.map { $0.within(\.training) }

  /// The preset with some settings changed, and with settings derived from them unless they are given too.
  ///
  /// - Parameter given: Values as text, by the names of settings.
  /// - Throws: `ConfigurationError` that names the setting.
  public func changed(_ given: [String: String]) throws(ConfigurationError) -> Preset {
    var result = self
    // In the order of the table, so that the same mistakes give the same message.
    for setting in Self.settings {
      if let text = given[setting.name] { try setting.set(&result, text) }
    }
    func isGiven(_ name: String) -> Bool { given[name] != nil }
    if isGiven("vocabulary"), result.tokenizer != .bpe {
      throw ConfigurationError(
        "\(setting: "vocabulary") is for the bpe tokenizer; with \(result.tokenizer.rawValue) it follows from the text")
    }
    if !isGiven("vocabulary"), result.tokenizer == .bpe, tokenizer != .bpe {
      result.model.vocabularySize = Self.tiny.model.vocabularySize
    }
    var c = result.model
    try require(
      c.width % c.headCount == 0,
      """
      \(c.headCount) heads do not divide width \(c.width): make \(setting: "width") a multiple of \(setting: "heads")
      """)
    // A preset's grouping applies only to its own number of heads.
    let isGrouped = !isGiven("heads") && model.headCount != model.keyValueHeadCount
    if !isGiven("kv-heads"), !isGrouped { c.keyValueHeadCount = c.headCount }
    c.headSize = c.width / c.headCount
    if !isGiven("feed-forward-width"), isGiven("width") || isGiven("feed-forward") {
      c.feedForwardWidth = TransformerConfiguration.feedForwardWidth(for: c.width, c.feedForward)
    }
    result.model = c
    // A given peak implies a tenth of it at the end; a short run, a shorter warmup.
    if isGiven("learning-rate"), !isGiven("final-learning-rate") {
      result.training.finalLearningRate = result.training.learningRate / 10
    }
    if !isGiven("warmup") {
      if result.training.epochs == nil {
        result.training.warmup = min(result.training.warmup, result.training.steps / 10)
      } else {
        result.training.limitsWarmup = true
      }
    }
    try result.validate()
    return result
  }

  /// Checks what can be checked before the text is read.
  /// - Throws: `ConfigurationError` that names the setting.
  public func validate() throws(ConfigurationError) {
    try training.validate()
    var model = model
    if tokenizer != .bpe { model.vocabularySize = 256 }
    try model.validate()
    // The minimum memory of training: weights, gradients and two moments, and a few activations of each block.
    let tokens = Double(training.batchSize) * Double(model.context)
    let kept = Double(training.activationCheckpointing ? 1 : 8 * model.layerCount)
    let bytes = 16 * Double(model.parameterCount) + 4 * tokens * Double(model.width) * kept
    let memory = Double(sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))
    let units = [" B", " kB", " MB", " GB", " TB", " PB"]
    try require(
      bytes < memory,
      """
      training this model takes more than \(scaled(bytes, units)) of memory, and this machine has \
      \(scaled(memory, units)): lower \(setting: "width"), \(setting: "layers"), \(setting: "batch-size") or \
      \(setting: "context")
      """)
  }
}
