import NablaFormats
import NablaNN
import NablaTraining

/// A named configuration: a model and how to train it. Its settings can be changed one by one.
public struct Preset: Sendable {
  public let name: String
  public let summary: String
  public var tokenizer: TokenizerKind
  public var model: TransformerConfiguration
  public var training: PretrainingConfiguration

  public init(
    name: String, summary: String = "", tokenizer: TokenizerKind, model: TransformerConfiguration,
    training: PretrainingConfiguration
  ) {
    (self.name, self.summary, self.tokenizer) = (name, summary, tokenizer)
    (self.model, self.training) = (model, training)
  }

  public static let all: [Preset] = [tiny, shakespeareCharacters, small, gpt2, original]

  public static func named(_ name: String) throws(ConfigurationError) -> Preset {
    guard let preset = all.first(where: { $0.name == name }) else {
      let nearest = nearestName(to: name, among: all.map(\.name))
      let names = all.map(\.name).joined(separator: ", ")
      throw ConfigurationError(problem: "unknown preset '\(name)': did you mean '\(nearest)'? (there are \(names))")
    }
    return preset
  }

  /// What `make demo` trains.
  static let tiny: Preset = {
    let model = TransformerConfiguration(vocabularySize: 1024, context: 128, width: 128, layerCount: 4, headCount: 4)
    var training = PretrainingConfiguration()
    training.batchSize = 16
    training.steps = 600
    training.learningRate = 2e-3
    training.finalLearningRate = 2e-4
    training.warmup = 50
    training.evaluateEvery = 100
    training.sampleEvery = 200
    training.checkpointEvery = 200
    return Preset(
      name: "tiny", summary: "0.9M parameters: to see everything work", tokenizer: .bpe, model: model,
      training: training)
  }()

  /// The configuration that nanoGPT's documentation gives for training on a CPU.
  static let shakespeareCharacters: Preset = {
    var model = TransformerConfiguration(
      vocabularySize: 0, context: 64, width: 128, layerCount: 4, headCount: 4, feedForward: .gelu)
    model.norm = .layer
    model.positions = .learned
    var training = PretrainingConfiguration()
    training.batchSize = 12
    training.steps = 2000
    training.learningRate = 1e-3
    training.finalLearningRate = 1e-4
    training.warmup = 100
    training.beta2 = 0.99
    training.evaluateEvery = 250
    training.sampleEvery = 500
    training.checkpointEvery = 500
    return Preset(
      name: "shakespeare-char", summary: "0.8M parameters over characters: nanoGPT on a CPU",
      tokenizer: .char, model: model, training: training)
  }()

  static let small: Preset = {
    let model = TransformerConfiguration(vocabularySize: 8192, context: 256, width: 384, layerCount: 6, headCount: 6)
    var training = PretrainingConfiguration()
    training.batchSize = 8
    training.steps = 5000
    training.learningRate = 1e-3
    training.finalLearningRate = 1e-4
    training.warmup = 200
    return Preset(
      name: "small", summary: "14M parameters: for a megabyte of text or more", tokenizer: .bpe,
      model: model, training: training)
  }()

  static let gpt2: Preset = {
    var model = TransformerConfiguration(
      vocabularySize: 50_257, context: 1024, width: 768, layerCount: 12, headCount: 12, feedForward: .gelu)
    model.norm = .layer
    model.positions = .learned
    model.bias = true
    var training = PretrainingConfiguration()
    training.batchSize = 2
    training.gradientAccumulation = 16
    training.steps = 20_000
    training.learningRate = 6e-4
    training.finalLearningRate = 6e-5
    training.warmup = 700
    return Preset(
      name: "gpt2", summary: "124M parameters: the architecture of GPT-2 small", tokenizer: .bpe, model: model,
      training: training)
  }()

  /// The block of "Attention is all you need", as the chapter derives it.
  static let original: Preset = {
    var model = TransformerConfiguration(
      vocabularySize: 1024, context: 128, width: 128, layerCount: 3, headCount: 4, feedForward: .relu)
    model.norm = .layer
    model.normPlacement = .post
    model.positions = .learned
    model.bias = true
    model.tieEmbeddings = false
    model.dropout = 0.1
    var training = PretrainingConfiguration()
    training.batchSize = 16
    training.steps = 1500
    training.learningRate = 1e-3
    training.finalLearningRate = 1e-4
    training.warmup = 200
    return Preset(
      name: "original", summary: "the original transformer block: post-norm, ReLU",
      tokenizer: .bpe, model: model, training: training)
  }()
}
