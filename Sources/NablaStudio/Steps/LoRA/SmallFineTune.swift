import NablaLanguage
import NablaNN
import NablaTensor

/// What fine-tuning in full made of a small model: ΔW of each matrix with its singular value decomposition.
struct SmallFineTune: Sendable {
  struct Matrix: Sendable {
    /// The layer's path.
    let name: String
    let base: Tensor
    let change: Tensor
    let svd: SingularValueDecomposition

    /// The best approximation of ΔW of this rank (Eckart and Young 1936): Σ σᵢ·uᵢ·vᵢᵀ over the first.
    func change(ofRank rank: Int) -> Tensor {
      if rank == 0 { return .zeros(change.shape) }
      let count = min(rank, svd.singularValues.count)
      let stretched = svd.u.prefix(columns: count).tensor * Tensor(svd.singularValues[..<count].map(Float.init))
      return stretched.matmul(svd.v.prefix(columns: count).tensor, transposingOther: true)
    }
  }

  struct Key: Hashable, Sendable {
    var seed: UInt64
    var task: SmallModel.Task
  }

  let small: SmallModel
  let task: SmallModel.Task
  let matrices: [Matrix]
  /// [rank, loss on the task's text] of the base with changes of that rank in every matrix.
  private(set) var lossByRank: [[Double]]
  /// The loss of the fine-tuned model itself.
  let loss: Double

  static let steps = 300
  static let learningRate: Float = 1e-3
  private static let kept = Kept<Key, SmallFineTune>(most: 6)

  /// The fine-tune of this seed; made now if it has not been.
  static func trained(_ key: Key) throws -> SmallFineTune {
    try kept.value(for: key) {
      let small = try SmallModel.trained(seed: key.seed)
      let model = small.model()
      freezeAllButLayers(model)
      var training = try SmallTraining(
        model, small.tokenizer, text: key.task.text, learningRate: learningRate, steps: steps, seed: key.seed)
      while !training.isFinished { _ = training.take() }
      return try SmallFineTune(small, key.task, tuned: model)
    }
  }

  static func freezeAllButLayers(_ model: TransformerLM) {
    let learned = Set(SmallModel.layers(of: model).map { $0.path + ".weight" })
    model.freeze { !learned.contains($0) }
  }

  private init(_ small: SmallModel, _ task: SmallModel.Task, tuned: TransformerLM) throws {
    (self.small, self.task) = (small, task)
    matrices = SmallModel.layers(of: tuned).map { path, layer in
      let base = small.weights[path + ".weight"]!
      let change = withoutGradient { layer.weight.stopGradient() - base }
      return Matrix(name: path, base: base, change: change, svd: SingularValueDecomposition(NablaTensor.Matrix(change)))
    }
    loss = try small.loss(tuned, on: task.text)
    lossByRank = []
    lossByRank = try [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].map { [Double($0), try loss(ofRank: $0)] }
  }

  func model(ofRank rank: Int) -> TransformerLM {
    small.model(
      Dictionary(uniqueKeysWithValues: matrices.map { ($0.name + ".weight", $0.base + $0.change(ofRank: rank)) }))
  }

  func loss(ofRank rank: Int) throws -> Double { try small.loss(model(ofRank: rank), on: task.text) }
}

/// Adapters that learned the same task beside the frozen base.
struct SmallAdapters: Sendable {
  struct Key: Hashable, Sendable {
    var tune: SmallFineTune.Key
    var rank: Int
  }

  let small: SmallModel
  let task: SmallModel.Task
  let configuration: LoRAConfiguration
  /// A [r, in] and B [out, r] of each layer, by its path.
  let factors: [String: Factors]

  struct Factors: Sendable { var down, up: Tensor }

  static let learningRate: Float = 6e-3
  private static let kept = Kept<Key, SmallAdapters>(most: 8)

  static func configuration(rank: Int) -> LoRAConfiguration { LoRAConfiguration(rank: rank, alpha: Float(2 * rank)) }

  static func trained(_ key: Key) throws -> SmallAdapters {
    try kept.value(for: key) {
      let small = try SmallModel.trained(seed: key.tune.seed)
      let model = try start(small, rank: key.rank)
      var training = try training(small, model, key.tune)
      while !training.isFinished { _ = training.take() }
      return SmallAdapters(small, key, model)
    }
  }

  /// The base with adapters that change nothing yet.
  static func start(_ small: SmallModel, rank: Int) throws -> TransformerLM {
    let model = small.model()
    model.freeze()
    var random = RandomSource(seed: small.seed ^ 0x10A)
    try model.addAdapter("default", configuration(rank: rank), random: &random)
    model.useAdapter("default")
    return model
  }

  static func training(_ small: SmallModel, _ model: TransformerLM, _ key: SmallFineTune.Key) throws -> SmallTraining {
    try SmallTraining(
      model, small.tokenizer, text: key.task.text, learningRate: learningRate, steps: SmallFineTune.steps,
      seed: key.seed)
  }

  init(_ small: SmallModel, _ key: Key, _ model: TransformerLM) {
    (self.small, task, configuration) = (small, key.tune.task, Self.configuration(rank: key.rank))
    factors = Dictionary(
      uniqueKeysWithValues: model.adapter("default").map {
        ($0.path, Factors(down: $0.adapter.down.stopGradient(), up: $0.adapter.up.stopGradient()))
      })
  }

  func keep(_ key: Key) { Self.kept.keep(self, for: key) }

  /// The base with these adapters, not in use.
  func model() throws -> TransformerLM {
    let model = small.model()
    try model.addAdapter(
      "default", factors.mapValues { LoRAAdapter(down: $0.down, up: $0.up, magnitude: nil, configuration) })
    return model
  }
}
