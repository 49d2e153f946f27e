import NablaLanguage
import NablaNN
import NablaTraining

/// Which part of a model is trained.
public enum AdapterKind: String, Codable, SettingValue, CaseIterable {
  case lora, dora
  /// Every parameter: full fine-tuning.
  case none
}

/// How the learning rate changes after its warmup.
public enum ScheduleKind: String, Codable, SettingValue, CaseIterable {
  case constant, linear, cosine
}

/// The common settings of all trainers of this module. ``settings`` describes each field.
public struct TuningConfiguration: Hashable {
  /// Nil to derive them from the epochs.
  public var steps: Int?
  public var epochs = 1
  public var batchSize = 8
  public var gradientAccumulation = 1
  public var learningRate: Float = 2e-4
  public var schedule = ScheduleKind.linear
  public var warmup = 0
  /// λ.
  public var weightDecay: Float = 0
  public var beta1: Float = 0.9
  public var beta2: Float = 0.999
  public var clip: Float = 1
  public var maximumLength = 1024
  public var heldOutFraction = 0.1
  public var evaluationRows = 128
  public var evaluateEvery = 50
  public var checkpointEvery = 100
  public var sampleEvery = 0
  public var sampleLength = 96
  public var adapter = AdapterKind.lora
  public var loraRank = 16
  public var loraAlpha: Float = 32
  public var loraDropout: Float = 0
  public var loraTargets: NameList = ["all-linear"]
  public var usesRankStabilization = false
  public var quantization = BaseQuantization.none
  public var activationCheckpointing = false
  public var precision = Precision.automatic
  public var seed: UInt64 = 1

  public init() {}

  /// The configuration of adapters; nil for full fine-tuning.
  public var lora: LoRAConfiguration? {
    guard adapter != .none else { return nil }
    return LoRAConfiguration(
      rank: loraRank, alpha: loraAlpha, dropout: loraDropout, targets: loraTargets.names,
      usesRankStabilization: usesRankStabilization, usesMagnitude: adapter == .dora)
  }

  /// The learning-rate schedule over the given steps: linear warmup to the peak, then constant,
  /// linear decay to 0, or cosine decay.
  func rates(total: Int) -> Schedule {
    let (peak, warmup, kind) = (learningRate, min(warmup, total), schedule)
    if kind == .cosine { return cosine(peak: peak, warmup: warmup, total: total) }
    return { step in
      if step < warmup { return peak * Float(step + 1) / Float(warmup) }
      let left = Float(max(total - step, 0)) / Float(max(total - warmup, 1))
      return kind == .constant ? peak : peak * left
    }
  }
}

extension TuningConfiguration: Configurable {
  public static let settings: [Setting<TuningConfiguration>] = [
    Setting("steps", \.steps, in: .optional(.range(1...1 << 30)), "Optimizer steps, instead of epochs"),
    Setting("epochs", \.epochs, in: .range(1...1 << 20), "Passes over the training data"),
    Setting("batch-size", \.batchSize, in: .range(1...1 << 16), "Rows in a micro-batch"),
    .gradientAccumulation(\.gradientAccumulation),
    .learningRate(\.learningRate),
    Setting("schedule", \.schedule, "Learning-rate schedule after the warmup"),
    .warmup(\.warmup),
    .weightDecay(\.weightDecay),
    .beta1(\.beta1),
    .beta2(\.beta2),
    .clip(\.clip),
    Setting(
      "max-length", \.maximumLength, in: .range(2...1 << 24),
      "Maximum length of an example in tokens; longer ones are truncated"),
    Setting(
      "held-out-fraction", \.heldOutFraction, in: .fraction, "Fraction of the rows held out for evaluation; 0 for none",
      valueName: "x"),
    Setting("evaluation-rows", \.evaluationRows, in: .range(1...1 << 30), "Maximum held-out rows per evaluation"),
    Setting(
      "evaluate-every", \.evaluateEvery, in: .nonNegative, "Steps between evaluations; 0 for only the first and last"),
    .checkpointEvery(\.checkpointEvery),
    .sampleEvery(\.sampleEvery),
    .sampleLength(\.sampleLength),
    Setting("adapter", \.adapter, "Kind of low-rank adapter; none for full fine-tuning"),
    Setting("lora-rank", \.loraRank, in: .range(1...1 << 16), "Rank r of each adapter"),
    Setting("lora-alpha", \.loraAlpha, in: .positive, "α: adapter updates are scaled by α/r"),
    Setting("lora-dropout", \.loraDropout, in: .fraction, "Dropout probability on adapter inputs"),
    Setting(
      "lora-targets", \.loraTargets, "Layers with an adapter, by suffixes of their names; all-linear is all of them"),
    Setting("rslora", \.usesRankStabilization, "Scaling by α/√r instead of α/r (rank-stabilized LoRA)"),
    Setting("quantize", \.quantization, "Quantization of the frozen base model; none keeps that of the given model"),
    .activationCheckpointing(\.activationCheckpointing),
    Setting(
      "precision", \.precision,
      "Precision of matrix multiplications; auto is bfloat16 if the CPU supports it, otherwise float32"),
    Setting("seed", \.seed, in: .seed, "Seed of adapters, batches and samples: the same seed gives the same run"),
  ]

  public func validateTogether() throws(ConfigurationError) {
    if let steps {
      try require(warmup <= steps, "\(setting: "warmup") must be between 0 and \(setting: "steps"), not \(warmup)")
    }
    try require(
      adapter != .none || quantization == .none,
      "\(setting: "quantize") is for adapters: with \(setting: "adapter") none the base model itself is trained")
  }
}
