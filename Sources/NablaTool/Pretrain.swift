import ArgumentParser
import Nabla

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a language model from text.",
    discussion: """
      Reads UTF-8 files, and folders of them, and trains a transformer to predict their next tokens. The run folder \
      gets the configuration, metrics, checkpoints, samples, a report to open in a browser, and at the end the model \
      as a Hugging Face folder.

      Presets:
      \(Preset.all.map { "  " + $0.name + String(repeating: " ", count: max(1, 18 - $0.name.count)) + $0.summary }
        .joined(separator: "\n"))

      Ctrl-C finishes the step, saves, and says how to go on.
      """)

  @Argument(help: "Files and folders of text.", completion: .file())
  var files: [String] = []

  @Option(help: "The starting point that other flags change.")
  var preset = "tiny"
  @Option(help: ArgumentHelp("The run folder (default: runs/pretrain-DATE-N).", valueName: "folder"))
  var output: String?
  @Option(help: ArgumentHelp("Go on with a run from its last checkpoint.", valueName: "run"))
  var resume: String?
  @Flag(help: "With --resume: go on although the text has changed.")
  var allowOtherData = false
  @Option(help: ArgumentHelp("Read flags from a YAML file; flags given here win.", valueName: "file"))
  var config: String?

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  @Flag(help: "Print one JSON object a line for programs to read.")
  var json = false

  func validate() throws {
    if resume == nil && files.isEmpty { throw ValidationError("give files or folders of text to train on") }
    if resume != nil && output != nil {
      throw ValidationError("--resume goes on in its own folder: leave out --output")
    }
    if resume != nil, model.isSet || training.isSet {
      throw ValidationError("--resume goes on as the run began: leave out flags of the model and of training")
    }
  }

  func run() throws {
    compute.apply()
    let progress = ProgressDisplay(title: "pretrain", style: json ? .json : .automatic)
    StopSignal.install()
    let pretraining: Pretraining
    if let resume {
      pretraining = try Pretraining(
        resuming: resume, paths: files, allowsOtherData: allowOtherData, message: progress.message)
      progress.message("resuming \(resume) after step \(pretraining.step)")
    } else {
      let preset = try Preset.named(preset)
      pretraining = try Pretraining(
        paths: files, tokenizer: model.tokenizer ?? preset.tokenizer, model: model.applied(to: preset.model),
        training: training.applied(to: preset.training), output: output, message: progress.message)
    }
    describe(pretraining, progress)
    let outcome = try pretraining.train(progress: progress, stopAfter: training.stopAfter) { step, text in
      progress.message("--- sample at step \(step) ---\n\(text)\n---")
    }
    let path = pretraining.run.path
    switch outcome {
    case .stopped(let step):
      progress.message(
        "stopped and saved after step \(step) of \(pretraining.totalSteps); go on with: nabla pretrain --resume \(path)"
      )
    case .finished:
      if let validation = pretraining.validation {
        progress.message(
          "validation: loss \(rounded(validation.loss)) nats per token, perplexity \(rounded(validation.perplexity)), "
            + "\(rounded(validation.bitsPerByte)) bits per byte")
      }
      progress.message("model: \(path)/model")
      progress.message("try: nabla generate \(path) --prompt \"...\"")
    }
  }

  private func describe(_ pretraining: Pretraining, _ progress: ProgressDisplay) {
    let c = pretraining.setup.model
    progress.message("corpus: \(pretraining.corpusSummary)")
    progress.message(
      "model: \(grouped(pretraining.model.parameterCount)) parameters, \(c.layerCount) layers, width \(c.width), "
        + "\(c.headCount) heads, context \(c.context), vocabulary \(c.vocabularySize)")
    progress.message(
      "machine: \(Threads.count) threads, \(instructionSet), products in \(pretraining.model.computeType)")
    progress.message("run: \(pretraining.run.path)")
  }
}

struct ModelOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Blocks.", valueName: "n")) var layers: Int?
  @Option(help: ArgumentHelp("Width of the residual stream.", valueName: "n")) var width: Int?
  @Option(help: ArgumentHelp("Attention heads.", valueName: "n")) var heads: Int?
  @Option(help: ArgumentHelp("Key-value heads: fewer than heads for grouped-query attention.", valueName: "n"))
  var kvHeads: Int?
  @Option(help: ArgumentHelp("Width of the feed-forward layers.", valueName: "n")) var feedForwardWidth: Int?
  @Option(help: ArgumentHelp("Positions a sequence may have.", valueName: "n")) var context: Int?
  @Option(help: ArgumentHelp("Tokens of a BPE vocabulary.", valueName: "n")) var vocabulary: Int?
  @Option(help: "byte, char or bpe.") var tokenizer: TokenizerKind?
  @Option(help: "rotary, learned or sinusoidal.") var positions: PositionKind?
  @Option(help: "rms or layer.") var norm: NormKind?
  @Option(help: "pre or post.") var normPlacement: NormPlacement?
  @Option(help: "swiglu, gelu or relu.") var feedForward: FeedForwardKind?
  @Option(help: ArgumentHelp("Whether the output layer is the embedding: true or false.", valueName: "bool"))
  var tieEmbeddings: Bool?
  @Option(help: ArgumentHelp("Whether linear layers have biases: true or false.", valueName: "bool")) var bias: Bool?
  @Option(help: ArgumentHelp("Probability of dropping an element.", valueName: "p")) var dropout: Float?
  @Option(help: ArgumentHelp("Attention reaches this many positions back.", valueName: "n")) var window: Int?

  func applied(to preset: TransformerConfiguration) -> TransformerConfiguration {
    var c = preset
    c.layerCount = layers ?? c.layerCount
    c.width = width ?? c.width
    c.headCount = heads ?? c.headCount
    c.keyValueHeadCount =
      kvHeads
      ?? (heads == nil && preset.headCount != preset.keyValueHeadCount
        ? c.keyValueHeadCount : c.headCount)
    c.headSize = c.headCount > 0 ? c.width / c.headCount : 0
    c.feedForward = feedForward ?? c.feedForward
    if width != nil || feedForward != nil {
      c.feedForwardWidth = TransformerConfiguration.feedForwardWidth(for: c.width, c.feedForward)
    }
    c.feedForwardWidth = feedForwardWidth ?? c.feedForwardWidth
    c.context = context ?? c.context
    c.vocabularySize = vocabulary ?? c.vocabularySize
    c.positions = positions ?? c.positions
    c.norm = norm ?? c.norm
    c.normPlacement = normPlacement ?? c.normPlacement
    c.tieEmbeddings = tieEmbeddings ?? c.tieEmbeddings
    c.bias = bias ?? c.bias
    c.dropout = dropout ?? c.dropout
    c.window = window ?? c.window
    return c
  }

  var isSet: Bool {
    let numbers = [layers, width, heads, kvHeads, feedForwardWidth, context, vocabulary, window]
    return numbers.contains { $0 != nil } || tokenizer != nil || positions != nil || norm != nil
      || normPlacement != nil || feedForward != nil || tieEmbeddings != nil || bias != nil || dropout != nil
  }
}

struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Sequences in one pass.", valueName: "n")) var batchSize: Int?
  @Option(help: ArgumentHelp("Passes whose gradients make one step.", valueName: "n")) var gradientAccumulation: Int?
  @Option(help: ArgumentHelp("Steps, on text at random places.", valueName: "n")) var steps: Int?
  @Option(help: ArgumentHelp("Passes over the text, instead of --steps.", valueName: "n")) var epochs: Int?
  @Option(help: "adamw or muon.") var optimizer: OptimizerKind?
  @Option(help: ArgumentHelp("Peak learning rate.", valueName: "rate")) var learningRate: Float?
  @Option(help: ArgumentHelp("Learning rate at the end.", valueName: "rate")) var finalLearningRate: Float?
  @Option(help: ArgumentHelp("Steps of warm-up.", valueName: "n")) var warmup: Int?
  @Option(help: ArgumentHelp("Weight decay of matrices.", valueName: "x")) var weightDecay: Float?
  @Option(help: ArgumentHelp("AdamW's β₁.", valueName: "x")) var beta1: Float?
  @Option(help: ArgumentHelp("AdamW's β₂.", valueName: "x")) var beta2: Float?
  @Option(help: ArgumentHelp("Largest gradient norm; 0 for no clipping.", valueName: "x")) var clip: Float?
  @Option(help: ArgumentHelp("Decay of a moving average of the weights; 0 for none.", valueName: "x")) var ema: Float?
  @Option(help: ArgumentHelp("Share of the text kept for validation.", valueName: "x")) var validationFraction: Double?
  @Option(help: ArgumentHelp("Steps between validations.", valueName: "n")) var evaluateEvery: Int?
  @Option(help: ArgumentHelp("Batches of a validation before the last.", valueName: "n")) var evaluationBatches: Int?
  @Option(help: ArgumentHelp("Steps between samples.", valueName: "n")) var sampleEvery: Int?
  @Option(help: ArgumentHelp("Tokens of a sample; 0 for no samples.", valueName: "n")) var sampleLength: Int?
  @Option(help: ArgumentHelp("Steps between checkpoints.", valueName: "n")) var checkpointEvery: Int?
  @Option(help: ArgumentHelp("Stop, saved, after this many steps (go on with --resume).", valueName: "n"))
  var stopAfter: Int?
  @Flag(help: "Run blocks again in the backward pass instead of keeping their activations.")
  var activationCheckpointing = false
  @Option(help: ArgumentHelp("Spread this much of the target over all tokens.", valueName: "x"))
  var labelSmoothing: Float?
  @Option(help: ArgumentHelp("Weight of the squared log-normalizer in the loss.", valueName: "x")) var zLoss: Float?
  @Option(help: "auto, float32 or bfloat16.") var precision: Precision?
  @Option(help: ArgumentHelp("Seed of everything random.", valueName: "n")) var seed: UInt64?

  func applied(to preset: PretrainingConfiguration) throws -> PretrainingConfiguration {
    var c = preset
    c.batchSize = batchSize ?? c.batchSize
    c.gradientAccumulation = gradientAccumulation ?? c.gradientAccumulation
    c.steps = steps ?? c.steps
    c.epochs = epochs ?? c.epochs
    c.optimizer = optimizer ?? c.optimizer
    // A peak of one's own comes with a tenth of it at the end; a short run with a shorter warm-up.
    if let learningRate { (c.learningRate, c.finalLearningRate) = (learningRate, learningRate / 10) }
    c.finalLearningRate = finalLearningRate ?? c.finalLearningRate
    c.warmup = warmup ?? min(c.warmup, c.steps / 10)
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
    c.activationCheckpointing = activationCheckpointing || c.activationCheckpointing
    c.labelSmoothing = labelSmoothing ?? c.labelSmoothing
    c.zLoss = zLoss ?? c.zLoss
    c.precision = precision ?? c.precision
    c.seed = seed ?? c.seed
    return c
  }

  /// Whether a flag is given that only a new run can follow.
  var isSet: Bool {
    let integers = [
      batchSize, gradientAccumulation, steps, epochs, warmup, evaluateEvery, evaluationBatches, sampleEvery,
      sampleLength, checkpointEvery,
    ]
    let numbers = [
      learningRate, finalLearningRate, weightDecay, beta1, beta2, clip, ema, labelSmoothing, zLoss,
    ]
    return integers.contains { $0 != nil } || numbers.contains { $0 != nil } || optimizer != nil
      || validationFraction != nil || precision != nil || seed != nil || activationCheckpointing
  }
}

extension TokenizerKind: ExpressibleByArgument {}
extension PositionKind: ExpressibleByArgument {}
extension NormKind: ExpressibleByArgument {}
extension NormPlacement: ExpressibleByArgument {}
extension FeedForwardKind: ExpressibleByArgument {}
extension OptimizerKind: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

/// Four significant digits.
func rounded(_ value: Double) -> String { significant(value, digits: 4) }
