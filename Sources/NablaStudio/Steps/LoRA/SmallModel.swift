import NablaLanguage
import NablaNN
import NablaTensor
import NablaText

/// A language model so small that fine-tuning it takes a second or two: two layers of 64 numbers a character, taught
/// nursery rhymes.
struct SmallModel: Sendable {
  let seed: UInt64
  let tokenizer: CharacterTokenizer
  /// By name.
  let weights: [String: Tensor]

  static let context = 32
  static let steps = 500
  private static let kept = Kept<UInt64, SmallModel>(most: 4)

  /// The model of this seed; trained now if it has not been.
  static func trained(seed: UInt64) throws -> SmallModel {
    try kept.value(for: seed) {
      let tokenizer = try CharacterTokenizer(
        corpus: [schooling] + Task.allCases.map(\.text), specialTokens: [])
      var random = RandomSource(seed: seed)
      let model = TransformerLM(configuration(tokenizer), random: &random)
      var training = try SmallTraining(
        model, tokenizer, text: schooling, learningRate: 4e-3, steps: steps, seed: seed)
      while !training.isFinished { _ = training.take() }
      return SmallModel(seed: seed, tokenizer: tokenizer, weights: state(of: model))
    }
  }

  static func state(of model: TransformerLM) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: model.parameters().map { ($0.name, $0.value) })
  }

  private static func configuration(_ tokenizer: CharacterTokenizer) -> TransformerConfiguration {
    TransformerConfiguration(
      vocabularySize: tokenizer.vocabularySize, context: context, width: 64, layerCount: 2, headCount: 4)
  }

  /// A model with these weights, and others in the place of some.
  func model(_ others: [String: Tensor] = [:]) -> TransformerLM {
    var random = RandomSource(seed: seed)
    let model = TransformerLM(Self.configuration(tokenizer), random: &random)
    model.computeType = .float32
    model.apply { others[$0.name] ?? weights[$0.name]! }
    return model
  }

  /// The weights that fine-tuning changes: those of the blocks' linear layers, which are what adapters are made for.
  static func layers(of model: TransformerLM) -> [(path: String, layer: Linear)] {
    model.namedModules().compactMap { path, module in
      path == "lm_head" ? nil : (module as? Linear).map { (path, $0) }
    }
  }

  /// Mean cross-entropy of a text in nats a character.
  func loss(_ model: TransformerLM, on text: String) throws -> Double {
    let ids = try tokenizer.encode(text)
    let rows = (ids.count - 1) / Self.context
    let tokens = Tensor(Array(ids[..<(rows * Self.context)]), [rows, Self.context])
    let targets = Tensor(Array(ids[1...(rows * Self.context)]), [rows, Self.context])
    return withoutGradient { Double(model.loss(tokens, targets: targets).item()) }
  }

  /// What the model writes.
  func sample(_ model: TransformerLM, from start: String) throws -> String {
    let completion = try model.generate(
      prompt: start, tokenizer: tokenizer, maximumTokens: 36, sampling: SamplingOptions(temperature: 0.5), seed: seed)
    return start + completion.text
  }

  /// What the base learns: rhymes, and digits and signs in no order, so that it has met every character.
  static let schooling: String = {
    var random = RandomSource(seed: 7)
    let signs = Array("0123456789+=. ")
    let noise = (0..<300).map { _ in signs[Int.random(in: 0..<signs.count, using: &random)] }
    return TransformerStep.rhymes + " " + String(noise)
  }()

  /// What a model of rhymes is tuned to write.
  enum Task: String, CaseIterable {
    case accent, sums

    var text: String {
      switch self {
      case .accent:
        [("th", "d"), ("Th", "D"), ("w", "v"), ("W", "V")].reduce(TransformerStep.rhymes) {
          $0.replacing($1.0, with: $1.1)
        }
      case .sums:
        (0..<160).map { i in "\(i * 7 % 10)+\(i / 5 % 10)=\(i * 7 % 10 + i / 5 % 10)." }.joined(separator: " ")
      }
    }

    var start: String { self == .accent ? "Twinkle, " : "3+4=" }
  }
}

/// Steps of Adam on random windows of a text, for a model's trainable parameters.
struct SmallTraining {
  let model: TransformerLM
  let steps: Int
  private(set) var count = 0
  private let windows: RandomWindows
  private let optimizer: AdamW

  init(
    _ model: TransformerLM, _ tokenizer: CharacterTokenizer, text: String, learningRate: Float, steps: Int, seed: UInt64
  ) throws {
    model.computeType = .float32
    (self.model, self.steps) = (model, steps)
    let data = TokenDataset(try tokenizer.encode(text), vocabularySize: tokenizer.vocabularySize)
    windows = try RandomWindows(data, context: SmallModel.context, batchSize: 8, seed: seed)
    optimizer = AdamW(
      learningRate: cosine(peak: learningRate, warmup: 10, total: steps, final: learningRate / 10), weightDecay: 0)
  }

  var isFinished: Bool { count >= steps }

  /// One step; its loss. On one thread: the products are too small to share out.
  mutating func take() -> Double {
    Threads.with(1) { step() }
  }

  private mutating func step() -> Double {
    let batch = windows.batch(step: count)
    let (loss, gradients) = valueAndGradient(of: model) { $0.loss(batch.inputs, targets: batch.targets) }
    optimizer.update(model, with: gradients.clipped(toNorm: 1))
    count += 1
    return Double(loss.item())
  }
}
