import NablaLanguage
import NablaTraining

/// The settings of a sweep, apart from its text and its budget. ``settings`` says what each field means.
public struct SweepSettings: Hashable {
  public var budgets = 4
  public var sizes = 5
  public var factor = 2.0
  public var spread = 6.0
  public var leap = 6.0
  public var context = 128
  public var batchSize = 8
  public var vocabulary: Int?
  public var learningRate = 4e-3
  public var validationFraction = 0.05
  public var seed: UInt64 = 1

  public init() {}

  /// The width to which ``learningRate`` refers.
  public static let ruleWidth = 64

  public var rule: LearningRateRule { LearningRateRule(learningRate: learningRate, width: Self.ruleWidth) }
}

extension SweepSettings: Configurable {
  public static let settings: [Setting<SweepSettings>] = [
    Setting("budgets", \.budgets, in: .range(3...20), "Training budgets of the grid"),
    Setting("sizes", \.sizes, in: .range(4...20), "Model sizes trained with each budget"),
    Setting("factor", \.factor, in: .range(1.2...10), "Ratio of each budget to the one before"),
    Setting("spread", \.spread, in: .range(1.5...100), "Ratio of the largest to the smallest size of a budget"),
    Setting(
      "leap", \.leap, in: .range(5...10), "Ratio of the test model's compute to the largest budget"),
    Setting("context", \.context, in: .range(8...1 << 16), "Context length in tokens"),
    Setting("batch-size", \.batchSize, in: .range(1...1 << 16), "Sequences in a batch"),
    Setting(
      "vocabulary", \.vocabulary, in: .optional(.range(257...1 << 20)),
      "Vocabulary size of a BPE tokenizer to train; without it, tokens are bytes"),
    Setting(
      "learning-rate", \.learningRate, in: .positive,
      "Peak learning rate at width \(ruleWidth); inversely proportional to the width", valueName: "rate"),
    Setting(
      "validation-fraction", \.validationFraction, in: .range(0.001...0.5),
      "Fraction of the text, at its end, used for validation"),
    Setting("seed", \.seed, in: .seed, "Random seed of weights and batches"),
  ]
}

extension SweepSettings {
  /// How a run is trained: AdamW, a cosine to a tenth over the whole of it (a run that ends before its schedule does is
  /// not a run of that length), warmup for a tenth of it, at most 100 steps.
  func preset(_ run: SweepPlan.Run) -> Preset {
    var training = PretrainingConfiguration()
    training.batchSize = batchSize
    training.steps = steps(run)
    training.learningRate = Float(run.learningRate)
    training.finalLearningRate = Float(run.learningRate / 10)
    training.warmup = min(100, training.steps / 10)
    training.validationFraction = validationFraction
    training.evaluateEvery = 0
    training.evaluationBatches = 1
    training.sampleEvery = 0
    training.sampleLength = 0
    training.checkpointEvery = 0
    training.seed = seed
    return Preset(
      name: "sweep", tokenizer: vocabulary == nil ? .byte : .bpe, model: run.shape.configuration, training: training)
  }

  func steps(_ run: SweepPlan.Run) -> Int { max(1, Int((run.tokens / Double(batchSize * context)).rounded())) }
}
