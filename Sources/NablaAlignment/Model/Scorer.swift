import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// A score model beside a language model: a reward model, or the value function of RLHF. It shares the language model's
/// backbone and has an adapter of its own there; without adapters it has weights of its own.
public struct Scorer {
  public let model: ScoreModel
  /// The name of its adapter; nil where there is none.
  let adapter: String?
  /// The language model beside it, whose tokenizer goes with what is saved.
  let trained: TrainedModel
  /// The base's file or folder.
  let base: String

  /// Writes it: a PEFT folder, or a Hugging Face folder, as `AutoModelForSequenceClassification` loads either.
  func save(to folder: String) throws {
    if let name = model.firstNonFinite {
      throw Diverged(reason: "the weights are non-finite; the first non-finite parameter is \(name)")
    }
    try createFolders(folder)
    if let adapter {
      try AdapterFolder.save(adapter, of: model, base: base, score: model.score.weight.stopGradient(), to: folder)
    } else {
      try ModelFolder.save(model, of: trained, to: folder)
    }
  }

  /// Goes back to what ``save(to:)`` wrote, bit for bit.
  func restore(from folder: String) throws {
    let score: Tensor?
    if let adapter {
      try model.restoreAdapter(adapter, from: folder)
      score = try AdapterFolder.score(in: folder, width: model.configuration.width)
    } else {
      let saved = try ModelFolder.read(folder, keepingTypes: false)
      let values = Dictionary(uniqueKeysWithValues: saved.model.parameters().map { ($0.name, $0.value) })
      for parameter in model.parameters() { if let value = values[parameter.name] { parameter.value = value } }
      score = saved.score
    }
    guard let score else { throw ModelFolderError(file: folder, problem: "has no score.weight") }
    model.score.weight = score.stopGradient()
  }
}

// MARK: Where it comes from

extension Scorer {
  static let rewardName = "reward"
  static let valueName = "value"

  /// A reward model that begins as a source says: with the head of a reward model, or a new one.
  init(starting tuned: TunedModel) throws {
    let backbone = tuned.model.backbone
    let known = try tuned.source.adapter.flatMap {
      try AdapterFolder.score(in: $0, width: backbone.configuration.width)
    }
    self.init(
      model: ScoreModel(backbone, score: known ?? tuned.trained.score),
      adapter: tuned.kind == .none ? nil : TunedModel.policyName, trained: tuned.trained, base: tuned.source.base)
  }

  /// A reward model that scores what a policy writes. One that was trained beside the policy's base is an adapter of
  /// that; any other is a second model in memory.
  ///
  /// - Parameter path: a run of ``RewardModel``, or a folder that `AutoModelForSequenceClassification` loads.
  /// - Throws: an error that names the path where it is no reward model, or one with another tokenizer.
  init(rewardModel path: String, beside tuned: TunedModel) throws {
    guard let run = try AdapterRun(path), tuned.kind != .none,
      RunFolder.located(run.base, of: path) == tuned.source.base, run.quantization == tuned.source.quantization
    else {
      try self.init(rewardModel: path)
      try trained.checkTokens(of: tuned.trained)
      trained.model.computeType = tuned.model.computeType
      return
    }
    guard let score = try AdapterFolder.score(in: run.adapter, width: tuned.model.configuration.width) else {
      throw noScore(path)
    }
    try AdapterFolder.load(run.adapter, into: tuned.model, as: Self.rewardName, allowsScore: true)
    tuned.model.useAdapter(TunedModel.policyName)
    self.init(
      model: ScoreModel(tuned.model.backbone, score: score), adapter: Self.rewardName, trained: tuned.trained,
      base: tuned.source.base)
    model.score.freeze()
  }

  /// A reward model by itself. Of a run that was stopped it is the newest checkpoint.
  init(rewardModel path: String) throws {
    let finished = "\(path)/model"
    let trained = try TrainedModel(
      pathExists("\(finished)/config.json") ? finished : path, precision: .automatic, allowingScores: true)
    guard let score = trained.score else { throw noScore(path) }
    // The value function may begin as a copy of the backbone, which has no adapters.
    if let adapter = trained.model.usedAdapter { try trained.model.mergeAdapter(adapter) }
    self.init(
      model: ScoreModel(trained.model.backbone, score: score), adapter: nil, trained: trained, base: trained.path)
    model.freeze()
  }

  /// The value function of a policy. It begins as the reward model, if that shares the policy's base or has a backbone
  /// of its own to copy (Ouyang et al. 2022), else with the policy's features and a head of zeros.
  init(
    valueBeside tuned: TunedModel, _ judge: Scorer?, _ c: TuningConfiguration, random: inout RandomSource
  ) throws {
    let (trained, base) = (tuned.trained, tuned.source.base)
    let head = judge?.model.score.weight.stopGradient()
    guard let lora = c.lora else {
      let backbone = Transformer(copying: judge?.model.backbone ?? tuned.model.backbone)
      backbone.apply { $0.value.cast(.float32) }
      self.init(model: ScoreModel(backbone, score: head), adapter: nil, trained: trained, base: base)
      return
    }
    if let start = judge?.adapter ?? (tuned.source.adapter == nil ? nil : TunedModel.policyName) {
      try tuned.model.copyAdapter(start, as: Self.valueName)
      for (_, adapter) in tuned.model.adapter(Self.valueName) { adapter.unfreeze() }
    } else {
      try tuned.model.addAdapter(Self.valueName, lora, random: &random)
    }
    tuned.model.useAdapter(TunedModel.policyName)
    self.init(
      model: ScoreModel(tuned.model.backbone, score: judge?.adapter == nil ? nil : head), adapter: Self.valueName,
      trained: trained, base: base)
  }

  /// The scores of completions with their prompts, read at the last token.
  ///
  /// - Throws: `RewardError` for a score that is not finite.
  func scores(
    of rollouts: [Rollout], batchSize: Int, beside tuned: TunedModel? = nil
  ) throws -> [Double] {
    let sequences = rollouts.map { $0.promptTokens + $0.tokens }
    func scored() -> [Float] { model.scores(of: sequences, batchSize: batchSize) }
    let scores = tuned?.using(adapter, scored) ?? scored()
    if let i = scores.firstIndex(where: { !$0.isFinite }) {
      throw RewardError.notFinite(reward: "model", value: Double(scores[i]), completion: rollouts[i].text)
    }
    return scores.map(Double.init)
  }
}

private func noScore(_ path: String) -> ModelFolderError {
  ModelFolderError(file: path, problem: "is not a reward model: it has no score.weight; 'nabla reward' trains one")
}

extension TrainedModel {
  /// - Throws: an error where another model's tokenizer gives other tokens, as far as its size and a text with
  ///   everything in it tell.
  func checkTokens(of other: TrainedModel) throws {
    let probe = "The quick brown fox, 12 345 times: naïve 日本 \n\tif (x != y) { return -0.5e3; } don't!"
    guard tokenizer.vocabularySize == other.tokenizer.vocabularySize,
      (try? tokenizer.encode(probe)) == (try? other.tokenizer.encode(probe))
    else { throw ModelFolderError(file: path, problem: "has a different tokenizer from \(other.path)") }
  }
}
