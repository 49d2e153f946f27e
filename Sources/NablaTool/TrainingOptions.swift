import ArgumentParser
import Nabla

/// Flags that change how the preset trains.
struct TrainingOptions: ParsableArguments {
  @Option(help: help("Optimizer steps, each on text at random places", "n") { $0.training.steps })
  var steps: Int?
  @Option(help: ArgumentHelp("Passes over the whole text, instead of --steps.", valueName: "n"))
  var epochs: Int?
  @Option(help: help("Sequences in one pass", "n") { $0.training.batchSize })
  var batchSize: Int?
  @Option(
    help: help("Passes whose gradients make one step: a larger batch in the same memory", "n") {
      $0.training.gradientAccumulation
    })
  var gradientAccumulation: Int?
  @Option(
    help: help("The optimizer; muon's rate is ten times --learning-rate", "kind") { $0.training.optimizer.rawValue })
  var optimizer: OptimizerKind?
  @Option(help: help("Highest learning rate, reached after the warm-up", "rate") { $0.training.learningRate })
  var learningRate: Float?
  @Option(help: ArgumentHelp("Learning rate at the end (default: a tenth of --learning-rate).", valueName: "rate"))
  var finalLearningRate: Float?
  @Option(
    help: help("Steps over which the learning rate rises, at most a tenth of --steps unless given", "n") {
      $0.training.warmup
    })
  var warmup: Int?
  @Option(help: help("Pull of matrices towards zero", "x") { $0.training.weightDecay })
  var weightDecay: Float?
  @Option(help: help("AdamW's memory of gradients, from 0 to below 1", "x") { $0.training.beta1 })
  var beta1: Float?
  @Option(help: help("AdamW's memory of their squares, from 0 to below 1", "x") { $0.training.beta2 })
  var beta2: Float?
  @Option(help: help("Largest norm of all gradients together; 0 for no limit", "x") { $0.training.clip })
  var clip: Float?
  @Option(
    help: help("Decay of a moving average of the weights, such as 0.999, that is used instead of them; 0 for none", "x")
    {
      $0.training.ema
    })
  var ema: Float?
  @Option(help: help("Share of each target that is spread over all tokens", "x") { $0.training.labelSmoothing })
  var labelSmoothing: Float?
  @Option(
    help: help("Weight of the squared log-normalizer in the loss, such as 1e-4; 0 for none", "x") { $0.training.zLoss })
  var zLoss: Float?
  @Option(
    help: help("Share of the text, at its end, kept for validation; 0 for none", "x") {
      $0.training.validationFraction
    })
  var validationFraction: Double?
  @Option(help: help("Steps between validations; 0 for the last only", "n") { $0.training.evaluateEvery })
  var evaluateEvery: Int?
  @Option(
    help: help("Batches in a validation; the last one reads everything", "n") { $0.training.evaluationBatches })
  var evaluationBatches: Int?
  @Option(help: help("Steps between samples; 0 for the first and last only", "n") { $0.training.sampleEvery })
  var sampleEvery: Int?
  @Option(help: help("Tokens in a sample; 0 for no samples", "n") { $0.training.sampleLength })
  var sampleLength: Int?
  @Option(help: help("Steps between checkpoints; 0 for the last only", "n") { $0.training.checkpointEvery })
  var checkpointEvery: Int?
  @Option(help: ArgumentHelp("Stop, saved, at this step of the run; --resume goes on.", valueName: "n"))
  var stopAfter: Int?
  @Flag(
    inversion: .prefixedNo,
    help: help("Compute activations twice to save memory: slower by a third", "") {
      $0.training.activationCheckpointing ? "yes" : "no"
    })
  var activationCheckpointing: Bool?
  @Option(
    help: "The type of products: auto is bfloat16 where the CPU computes in it, else float32 (default: auto).")
  var precision: Precision?
  @Option(
    help: help("Seed of weights, batches and samples: the same seed gives the same run", "n") { $0.training.seed })
  var seed: UInt64?

  func validate() throws {
    if let stopAfter, stopAfter < 1 { throw ValidationError("--stop-after must be at least 1, not \(stopAfter)") }
    if steps != nil, epochs != nil { throw ValidationError("give --steps or --epochs, not both") }
  }

  func applied(to preset: Preset) -> PretrainingConfiguration {
    var c = preset.training
    c.batchSize = batchSize ?? c.batchSize
    c.gradientAccumulation = gradientAccumulation ?? c.gradientAccumulation
    c.steps = steps ?? c.steps
    c.epochs = epochs ?? c.epochs
    c.optimizer = optimizer ?? c.optimizer
    // A peak of one's own comes with a tenth of it at the end; a short run with a shorter warm-up.
    if let learningRate { (c.learningRate, c.finalLearningRate) = (learningRate, learningRate / 10) }
    c.finalLearningRate = finalLearningRate ?? c.finalLearningRate
    c.warmup = warmup ?? max(min(c.warmup, c.steps / 10), 0)
    c.weightDecay = weightDecay ?? c.weightDecay
    c.beta1 = beta1 ?? c.beta1
    c.beta2 = beta2 ?? c.beta2
    c.clip = clip ?? c.clip
    c.ema = ema ?? c.ema
    c.validationFraction = validationFraction ?? c.validationFraction
    c.evaluateEvery = evaluateEvery ?? c.evaluateEvery
    c.evaluationBatches = evaluationBatches ?? c.evaluationBatches
    c.sampleEvery = sampleEvery ?? c.sampleEvery
    c.sampleLength = sampleLength ?? c.sampleLength
    c.checkpointEvery = checkpointEvery ?? c.checkpointEvery
    c.activationCheckpointing = activationCheckpointing ?? c.activationCheckpointing
    c.labelSmoothing = labelSmoothing ?? c.labelSmoothing
    c.zLoss = zLoss ?? c.zLoss
    c.precision = precision ?? c.precision
    c.seed = seed ?? c.seed
    return c
  }

  /// A flag that was given and that only a new run can follow, as `--name`; nil when none was.
  var given: String? {
    firstGiven([
      ("steps", steps), ("epochs", epochs), ("batch-size", batchSize), ("gradient-accumulation", gradientAccumulation),
      ("optimizer", optimizer), ("learning-rate", learningRate), ("final-learning-rate", finalLearningRate),
      ("warmup", warmup), ("weight-decay", weightDecay), ("beta1", beta1), ("beta2", beta2), ("clip", clip),
      ("ema", ema), ("label-smoothing", labelSmoothing), ("z-loss", zLoss),
      ("validation-fraction", validationFraction), ("evaluate-every", evaluateEvery),
      ("evaluation-batches", evaluationBatches), ("sample-every", sampleEvery), ("sample-length", sampleLength),
      ("checkpoint-every", checkpointEvery), ("activation-checkpointing", activationCheckpointing),
      ("precision", precision), ("seed", seed),
    ])
  }
}

extension OptimizerKind: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
