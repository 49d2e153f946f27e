import NablaTraining

/// The kind of tokenizer.
public enum TokenizerKind: String, Codable, SettingValue, CaseIterable {
  /// The 256 bytes.
  case byte
  /// The characters of the corpus.
  case char
  /// Byte-level byte-pair encoding, trained on the corpus.
  case bpe
}

public enum OptimizerKind: String, Codable, SettingValue, CaseIterable {
  case adamw, muon
}

/// The settings of pretraining. ``settings`` describes each field.
public struct PretrainingConfiguration: Hashable {
  /// B.
  public var batchSize = 8
  public var gradientAccumulation = 1
  /// With `epochs`, derived from them.
  public var steps = 1000
  /// Steps of the cosine schedule, where the run has more: it stays at the final learning rate after them.
  public var scheduleSteps: Int?
  public var epochs: Int?
  public var optimizer = OptimizerKind.adamw
  public var learningRate: Float = 1e-3
  /// The end of the cosine schedule.
  public var finalLearningRate: Float = 1e-4
  public var warmup = 100
  /// Whether the warmup is at most a tenth of the run: with `epochs`, only the text tells how long that is.
  public var limitsWarmup: Bool?
  public var beta1: Float = 0.9
  public var beta2: Float = 0.95
  /// λ.
  public var weightDecay: Float = 0.1
  public var clip: Float = 1
  public var validationFraction = 0.1
  public var evaluateEvery = 250
  public var evaluationBatches = 50
  public var sampleEvery = 500
  public var sampleLength = 200
  public var checkpointEvery = 500
  public var ema: Float = 0
  public var activationCheckpointing = false
  public var labelSmoothing: Float = 0
  public var zLoss: Float = 0
  public var precision = Precision.automatic
  public var seed: UInt64 = 1

  public init() {}
}

extension PretrainingConfiguration: Configurable {
  public static let settings: [Setting<PretrainingConfiguration>] = [
    Setting("steps", \.steps, in: .range(1...1 << 30), "Optimizer steps, each on random windows of the text"),
    Setting("epochs", \.epochs, in: .optional(.range(1...1 << 20)), "Passes over the whole text, instead of steps"),
    Setting("batch-size", \.batchSize, in: .range(1...1 << 20), "Sequences in a micro-batch"),
    .gradientAccumulation(\.gradientAccumulation),
    Setting("optimizer", \.optimizer, "Optimizer; Muon uses ten times the given learning rate"),
    .learningRate(\.learningRate),
    .finalLearningRate(\.finalLearningRate),
    .warmup(\.warmup),
    .weightDecay(\.weightDecay),
    .beta1(\.beta1),
    .beta2(\.beta2),
    .clip(\.clip),
    Setting(
      "ema", \.ema, in: .fraction,
      "Decay of an exponential moving average of the weights, used for evaluation, such as 0.999; 0 for none"),
    Setting(
      "label-smoothing", \.labelSmoothing, in: .fraction,
      "Label smoothing: fraction of each target spread over all tokens"),
    Setting("z-loss", \.zLoss, in: .nonNegative, "Weight of the squared log-normalizer in the loss; 0 for none"),
    Setting(
      "validation-fraction", \.validationFraction, in: .fraction,
      "Fraction of the text, at its end, held out for validation; 0 for none"),
    Setting("evaluate-every", \.evaluateEvery, in: .nonNegative, "Steps between validations; 0 for only the last"),
    Setting(
      "evaluation-batches", \.evaluationBatches, in: .range(1...1 << 30),
      "Batches per validation; the last validation reads all held-out text"),
    .sampleEvery(\.sampleEvery),
    .sampleLength(\.sampleLength),
    .checkpointEvery(\.checkpointEvery),
    .activationCheckpointing(\.activationCheckpointing),
    Setting(
      "precision", \.precision,
      "Precision of matrix multiplications; auto is bfloat16 if the CPU supports it, otherwise float32"),
    Setting("seed", \.seed, in: .seed, "Seed of weights, batches and samples: the same seed gives the same run"),
  ]

  public func validateTogether() throws(ConfigurationError) {
    try require(
      finalLearningRate <= learningRate,
      """
      \(setting: "final-learning-rate") must be between 0 and \(setting: "learning-rate"), not \(finalLearningRate)
      """)
    try require(
      epochs != nil || warmup <= steps,
      "\(setting: "warmup") must be between 0 and \(setting: "steps"), not \(warmup)")
  }
}
