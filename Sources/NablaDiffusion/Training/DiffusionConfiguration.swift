import NablaTraining

public enum ObjectiveKind: String, Codable, SettingValue, CaseIterable {
  /// ``DDPMObjective``: T discrete steps.
  case ddpm
  /// ``ScoreObjective``: the score of a continuous process.
  case score
  /// ``EDMObjective``.
  case edm
  /// ``FlowObjective``: straight lines from noise to data.
  case flow
}

public enum NetworkKind: String, Codable, SettingValue, CaseIterable {
  /// ``DenoisingMLP``, for points and tables.
  case mlp
  /// ``UNet``, for images.
  case unet
  /// ``DiT``, for images, with or without captions.
  case dit
}

/// The condition of a network, besides the noisy data.
public enum ConditionKind: String, Codable, SettingValue, CaseIterable {
  case none
  case classes = "class"
  case captions = "caption"
}

/// What a network of the discrete process predicts: ``Prediction/noise``, ``Prediction/data`` or ``Prediction/v``.
public enum DiscretePrediction: String, Codable, SettingValue, CaseIterable {
  case noise, data, v

  var prediction: Prediction {
    switch self {
    case .noise: .noise
    case .data: .data
    case .v: .v
    }
  }
}

extension BetaSchedule: SettingValue {}

/// The process of a score model.
public enum ScoreProcess: String, Codable, SettingValue, CaseIterable {
  case variancePreserving = "vp"
  case varianceExploding = "ve"
}

/// The settings of training a generative model. ``settings`` describes each field.
public struct DiffusionConfiguration: Hashable {
  public var objective = ObjectiveKind.ddpm
  /// Nil for the default of the data: `mlp` for points, `dit` for captions, otherwise `unet`.
  public var network: NetworkKind?
  /// Nil for classes if the data have them, otherwise captions.
  public var condition: ConditionKind?
  public var conditionDropout = 0.1
  // The objectives' own.
  public var prediction = DiscretePrediction.noise
  /// The cosine schedule ends at σ/α = 20,000, where with few steps an error in ε is amplified enormously unless the
  /// data are clipped to a range, as images are.
  public var schedule = BetaSchedule.linear
  /// T.
  public var noiseSteps = 1000
  public var zeroTerminalSNR = false
  /// γ of min-SNR weighting; 0 for none.
  public var minSNR = 0.0
  public var process = ScoreProcess.variancePreserving
  /// Karras et al. have 80 for images, whose mean shows through more noise than one number does: a thousand numbers say
  /// it. Training draws levels beyond 20 too seldom for a network of points to learn them, and sampling would begin there.
  public var sigmaMax = 20.0
  public var logitNormal = false
  public var flowShift = 1.0
  public var optimalTransport = false
  // The networks' own.
  public var width = 128
  public var depth = 3
  public var heads = 4
  public var patchSize = 2
  public var channels = [32, 64, 64]
  public var layersPerBlock = 2
  // Data.
  public var imageSize: Int?
  public var grayscale = false
  public var validationFraction = 0.1
  // Training.
  public var batchSize = 512
  public var steps = 4000
  public var learningRate: Float = 4e-3
  public var finalLearningRate: Float = 0
  public var warmup = 20
  public var weightDecay: Float = 0
  public var clip: Float = 1
  /// Decay of the moving average of the weights; 0 for none.
  public var ema: Float = 0.999
  public var evaluateEvery = 500
  public var sampleEvery = 1000
  public var checkpointEvery = 1000
  public var sampleCount = 1000
  public var seed: UInt64 = 1

  /// For points and tables.
  public static let points = DiffusionConfiguration()

  /// For images.
  public static let images: DiffusionConfiguration = {
    var c = DiffusionConfiguration()
    c.schedule = .cosine
    c.sigmaMax = 80
    (c.depth, c.batchSize, c.steps, c.learningRate, c.warmup) = (6, 64, 10_000, 1e-3, 100)
    (c.evaluateEvery, c.sampleEvery, c.checkpointEvery, c.sampleCount) = (1000, 1000, 1000, 32)
    return c
  }()
}

extension DiffusionConfiguration: Configurable {
  public static let settings: [Setting<DiffusionConfiguration>] =
    objectiveSettings + networkSettings + dataSettings + trainingSettings

  private static let objectiveSettings: [Setting<DiffusionConfiguration>] = [
    Setting("objective", \.objective, "Training objective"),
    Setting("prediction", \.prediction, "Prediction target of ddpm"),
    Setting("schedule", \.schedule, "Noise schedule of ddpm"),
    Setting("noise-steps", \.noiseSteps, in: .range(2...1 << 16), "Diffusion steps of ddpm"),
    Setting("zero-terminal-snr", \.zeroTerminalSNR, "Rescaling of ddpm's schedule to zero terminal SNR"),
    Setting("min-snr", \.minSNR, in: .nonNegative, "γ of min-SNR weighting of ddpm, such as 5; 0 for none"),
    Setting("process", \.process, "SDE of score: variance-preserving or variance-exploding"),
    Setting(
      "sigma-max", \.sigmaMax, in: .range(1...10_000), "Noise level at which edm's sampling starts", valueName: "σ"),
    Setting("logit-normal", \.logitNormal, "Logit-normal training times of flow, which favor the middle"),
    Setting("flow-shift", \.flowShift, in: .positive, "Shift of flow's times toward noise; 1 for none"),
    Setting(
      "optimal-transport", \.optimalTransport, "Optimal-transport coupling of noise and data in each batch of flow"),
  ]

  private static let networkSettings: [Setting<DiffusionConfiguration>] = [
    Setting("network", \.network, "Network; mlp for points, dit for captions, unet for other images by default"),
    Setting("width", \.width, in: .range(4...1 << 14), "Hidden size of mlp and dit"),
    Setting("depth", \.depth, in: .range(1...1 << 10), "Layers of mlp and dit"),
    Setting("heads", \.heads, in: .range(1...1 << 10), "Attention heads of dit"),
    Setting("patch-size", \.patchSize, in: .range(1...1 << 10), "Patch height and width of dit"),
    Setting("channels", \.channels, "Channels of unet at each resolution, the finest first"),
    Setting("layers-per-block", \.layersPerBlock, in: .range(1...16), "Residual blocks of unet at each resolution"),
    Setting(
      "condition", \.condition, "Condition of the network; by default class, otherwise caption, if the data have them"),
    Setting(
      "condition-dropout", \.conditionDropout, in: .range(0...1),
      "Fraction of examples without their condition, for classifier-free guidance"),
  ]

  private static let dataSettings: [Setting<DiffusionConfiguration>] = [
    Setting(
      "image-size", \.imageSize, in: .optional(.range(1...1 << 12)), "Height and width that PNG images are resized to"),
    Setting("grayscale", \.grayscale, "Conversion of PNG images to grayscale"),
    Setting(
      "validation-fraction", \.validationFraction, in: .fraction,
      "Fraction of the data held out for validation; 2-D sets draw fresh points instead"),
  ]

  private static let trainingSettings: [Setting<DiffusionConfiguration>] = [
    Setting("steps", \.steps, in: .range(1...1 << 30), "Optimizer steps"),
    Setting("batch-size", \.batchSize, in: .range(1...1 << 20), "Examples per step"),
    .learningRate(\.learningRate),
    .finalLearningRate(\.finalLearningRate),
    .warmup(\.warmup),
    .weightDecay(\.weightDecay),
    .clip(\.clip),
    Setting(
      "ema", \.ema, in: .fraction,
      "Decay of the exponential moving average of the weights used for sampling, after its own warmup; 0 for none"),
    Setting("evaluate-every", \.evaluateEvery, in: .nonNegative, "Steps between validations; 0 for only the last"),
    .sampleEvery(\.sampleEvery),
    Setting("sample-count", \.sampleCount, in: .range(0...1 << 16), "Points or images per sample; 0 for no samples"),
    .checkpointEvery(\.checkpointEvery),
    Setting("seed", \.seed, in: .seed, "Seed of weights, batches, noise and samples: the same seed gives the same run"),
  ]

  public func validateTogether() throws(ConfigurationError) {
    try require(
      finalLearningRate <= learningRate,
      "\(setting: "final-learning-rate") must be between 0 and \(setting: "learning-rate"), not \(finalLearningRate)")
    try require(warmup <= steps, "\(setting: "warmup") must be at most \(setting: "steps"), not \(warmup)")
    try require(
      !zeroTerminalSNR || prediction != .noise,
      """
      with \(setting: "zero-terminal-snr") the last step is pure noise, and predicting the noise \
      there carries no information about the data: set \(setting: "prediction") to v or data
      """)
    try require(
      !zeroTerminalSNR || minSNR == 0,
      """
      \(setting: "min-snr") gives a step without signal the weight 0, and with \(setting: "zero-terminal-snr") that is \
      the one at which sampling begins: leave one of them out
      """)
    try require(
      conditionDropout < 1,
      "\(setting: "condition-dropout") 1 never shows a condition: set \(setting: "condition") to none")
    try requireOwnSettings()
    try require(
      !channels.isEmpty && channels.count <= 8 && channels.allSatisfy { 2...1024 ~= $0 },
      "\(setting: "channels") must be 1 to 8 numbers between 2 and 1024")
    // About two billion parameters of a DiT.
    try require(
      depth * width * width <= 1 << 27,
      "\(setting: "width") \(width) and \(setting: "depth") \(depth) are too large together for one computer")
  }

  /// Refuses settings of another objective, which would be ignored.
  private func requireOwnSettings() throws(ConfigurationError) {
    let standard = DiffusionConfiguration()
    let owned: [(name: String, owner: ObjectiveKind, isSet: Bool)] = [
      ("prediction", .ddpm, prediction != standard.prediction), ("zero-terminal-snr", .ddpm, zeroTerminalSNR),
      ("min-snr", .ddpm, minSNR != 0), ("process", .score, process != standard.process),
      ("logit-normal", .flow, logitNormal), ("flow-shift", .flow, flowShift != 1),
      ("optimal-transport", .flow, optimalTransport),
    ]
    for (name, owner, isSet) in owned where isSet && objective != owner {
      throw ConfigurationError(
        "\(setting: name) is for \(setting: "objective") \(owner.rawValue), not for \(objective.rawValue)")
    }
  }
}
