/// What text is cut into.
public enum TokenizerKind: String, Codable, Sendable, CaseIterable {
  /// The 256 bytes.
  case byte
  /// The characters of the corpus.
  case char
  /// Byte-level byte-pair encoding, trained on the corpus.
  case bpe
}

public enum OptimizerKind: String, Codable, Sendable, CaseIterable {
  case adamw, muon
}

/// How a language model is trained from text.
public struct PretrainingConfiguration: Codable, Sendable, Hashable {
  /// B: sequences in one forward and backward pass.
  public var batchSize = 8
  /// Passes whose gradients make one step.
  public var gradientAccumulation = 1
  /// Optimizer steps, on windows at random places; with `epochs`, as many as those take.
  public var steps = 1000
  /// Passes over the training part in shuffled windows, instead of `steps`.
  public var epochs: Int?
  public var optimizer = OptimizerKind.adamw
  /// The peak of the cosine schedule.
  public var learningRate: Float = 1e-3
  /// Where the schedule ends.
  public var finalLearningRate: Float = 1e-4
  /// Steps of linear warm-up.
  public var warmup = 100
  public var beta1: Float = 0.9
  public var beta2: Float = 0.95
  /// λ of decoupled weight decay, on matrices and embeddings.
  public var weightDecay: Float = 0.1
  /// The largest global gradient norm; 0 for no clipping.
  public var clip: Float = 1
  /// Share of the corpus, at its end, that is kept for validation.
  public var validationFraction = 0.1
  /// Steps between validations; 0 for none but the last.
  public var evaluateEvery = 250
  /// Batches of a validation during training; the last one reads the whole validation part.
  public var evaluationBatches = 50
  /// Steps between samples; 0 for none but the first and last.
  public var sampleEvery = 500
  /// Tokens of a sample.
  public var sampleLength = 200
  /// Steps between checkpoints; 0 for the last only.
  public var checkpointEvery = 500
  /// Decay of an exponential moving average of the weights, which validation, samples and the final model then use;
  /// 0 for none.
  public var ema: Float = 0
  /// Whether blocks are run again in the backward pass instead of keeping their activations.
  public var activationCheckpointing = false
  public var labelSmoothing: Float = 0
  public var zLoss: Float = 0
  public var precision = Precision.automatic
  /// The source of initial weights, batches, dropout and samples.
  public var seed: UInt64 = 1

  public init() {}

  public func validate() throws(ConfigurationError) {
    func require(_ condition: Bool, _ problem: String) throws(ConfigurationError) {
      if !condition { throw ConfigurationError(problem: problem) }
    }
    for (name, value, limit) in [
      ("batch-size", batchSize, 1 << 20), ("gradient-accumulation", gradientAccumulation, 1 << 20),
      ("steps", steps, 1 << 30), ("epochs", epochs ?? 1, 1 << 20), ("evaluation-batches", evaluationBatches, 1 << 30),
    ] { try require((1...limit).contains(value), "--\(name) must be between 1 and \(limit), not \(value)") }
    try require(learningRate > 0 && learningRate.isFinite, "--learning-rate must be positive, not \(learningRate)")
    try require(
      finalLearningRate >= 0 && finalLearningRate <= learningRate,
      "--final-learning-rate must be between 0 and --learning-rate, not \(finalLearningRate)")
    try require(
      warmup >= 0 && (epochs != nil || warmup <= steps), "--warmup must be between 0 and --steps, not \(warmup)")
    try require(
      beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
      "--beta1 and --beta2 must be at least 0 and less than 1, not \(beta1) and \(beta2)")
    try require(weightDecay >= 0 && weightDecay.isFinite, "--weight-decay must be 0 or more, not \(weightDecay)")
    try require(clip >= 0, "--clip must be 0 (no clipping) or more, not \(clip)")
    try require(
      validationFraction >= 0 && validationFraction < 1,
      "--validation-fraction must be at least 0 and less than 1, not \(validationFraction)")
    try require(ema >= 0 && ema < 1, "--ema must be at least 0 and less than 1, not \(ema)")
    try require(
      labelSmoothing >= 0 && labelSmoothing < 1,
      "--label-smoothing must be at least 0 and less than 1, not \(labelSmoothing)")
    try require(zLoss >= 0 && zLoss.isFinite, "--z-loss must be 0 or more, not \(zLoss)")
    for (name, value) in [
      ("evaluate-every", evaluateEvery), ("sample-every", sampleEvery), ("checkpoint-every", checkpointEvery),
      ("sample-length", sampleLength),
    ] { try require(value >= 0, "--\(name) must be 0 or more, not \(value)") }
    // JSON, which keeps it, has whole numbers up to here.
    try require(seed <= UInt64(Int.max), "--seed must be at most \(Int.max), not \(seed)")
  }
}
