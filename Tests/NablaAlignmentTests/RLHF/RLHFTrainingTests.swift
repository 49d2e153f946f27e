import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining
import Testing

import NablaAlignment

@Suite struct RLHFTrainingTests {
  /// A trainer of every parameter in float32; `change` makes it another.
  private func trainer(
    _ digits: DigitModel, from start: String? = nil, rewards: WeightedRewards? = evenDigits, rewardModel: String? = nil,
    _ change: (inout RLHF.Configuration) -> Void = { _ in }
  ) throws -> RLHF {
    var c = RLHF.Configuration()
    (c.tuning.precision, c.tuning.adapter, c.tuning.steps) = (.float32, .none, 40)
    (c.tuning.learningRate, c.tuning.batchSize) = (3e-3, 64)
    (c.tuning.evaluateEvery, c.tuning.checkpointEvery, c.tuning.loraRank) = (0, 0, 8)
    (c.prompts, c.maximumTokens, c.ppoEpochs, c.klCoefficient) = (64, 6, 2, 0.005)
    change(&c)
    let setup = RLHF.Setup(
      source: try TunedModel.Source(start ?? digits.model), data: .init(files: [digits.data]),
      training: c, judge: JudgeDescription(rewardModel: rewardModel))
    return try RLHF(setup, rewards: rewards)
  }

  /// Pairs whose chosen completion has even digits.
  private func trainRewardModel(
    _ digits: DigitModel, _ kind: AdapterKind, name: String = "reward", from start: String? = nil
  ) throws -> String {
    let rows = (0..<48).map { i in
      let (even, odd) = ([0, 2, 4, 6, 8].map { ($0 + 2 * i) % 10 }, [1, 3, 5, 7, 9].map { ($0 + 2 * i) % 10 })
      let length = 1 + i % 5
      func text(_ digits: [Int]) -> String { digits.prefix(length).map(String.init).joined() }
      return #"{"prompt": "\#(i % 10)\#(3 * i % 10) ", "chosen": "\#(text(even))", "rejected": "\#(text(odd))"}"#
    }
    let path = "\(digits.folder)/\(name).jsonl"
    try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    var c = RewardModel.Configuration()
    (c.tuning.precision, c.tuning.adapter, c.tuning.loraRank, c.tuning.steps) = (.float32, kind, 8, 40)
    (c.tuning.learningRate, c.tuning.maximumLength, c.tuning.evaluateEvery) = (kind == .none ? 3e-3 : 1e-2, 16, 0)
    let run = try TrainingRun(
      RewardModel(start ?? digits.model, data: .init(files: [path]), c), at: "\(digits.folder)/\(name)")
    _ = try run.train()
    #expect(run.evaluation.first { $0.name == "eval_accuracy" }!.value == 1)
    return run.folder.path
  }

  /// From about 0.4 to almost 1; with a wrong sign the reward falls.
  @Test(arguments: [(UInt64(21), AdapterKind.none), (22, .lora)])
  func learnsEvenDigits(_ seed: UInt64, _ adapter: AdapterKind) throws {
    try DigitModel.use(seed: seed) { digits in
      let trainer = try trainer(digits) {
        ($0.tuning.seed, $0.tuning.adapter) = (seed, adapter)
        if adapter == .lora { ($0.tuning.learningRate, $0.tuning.steps) = (2e-2, 60) }
      }
      let reports = try (0..<(adapter == .lora ? 60 : 40)).map { _ in try trainer.step() }
      let scores = reports.map { $0["objective/scores"]! }
      #expect(scores[0] < 0.65, "\(scores)")
      #expect(scores.suffix(5).reduce(0, +) / 5 >= 0.9, "\(scores)")
      #expect(try trainer.evaluate(isFinal: true).first { $0.name == "eval_reward" }!.value >= 0.9)
      #expect(reports.allSatisfy { $0["val/first_ratio_deviation"] == 0 })
      #expect(reports.allSatisfy { $0["sampling/sampling_logp_difference/mean"]! < 1e-5 })
      #expect(abs(reports[0]["objective/kl"]!) < 1e-4 && reports.last!["objective/kl"]! > 0.1)
      // The value function comes to foresee the reward.
      let explained = reports.map { $0["val/explained_variance"]! }
      #expect(explained.suffix(10).reduce(0, +) / 10 > 0.03, "\(explained)")
    }
  }

  /// The policy comes to write what a learned reward model likes, whether that shares the base or not, and with a rule
  /// beside it.
  @Test(arguments: [(AdapterKind.lora, AdapterKind.lora), (.none, .lora), (.none, .none)])
  func learnsFromARewardModel(_ judge: AdapterKind, _ policy: AdapterKind) throws {
    try DigitModel.use(seed: 5) { digits in
      let run = try trainRewardModel(digits, judge)
      let rule = WeightedRewards([Reward("short") { $0.tokenCount <= 4 ? 0.5 : 0 }])
      let trainer = try trainer(
        digits, rewards: judge == .lora ? rule : WeightedRewards([]), rewardModel: run
      ) {
        $0.tuning.adapter = policy
        $0.tuning.learningRate = policy == .lora ? 2e-2 : 3e-3
      }
      let reports = try (0..<40).map { _ in try trainer.step() }
      let scores = reports.map { $0["rewards/reward_model/mean"]! }
      #expect(scores.suffix(5).reduce(0, +) / 5 > scores[0] + 0.5, "\(scores)")
      #expect(reports.allSatisfy { $0["val/first_ratio_deviation"] == 0 && $0["objective/kl"]!.isFinite })
    }
  }

  /// Stopped and resumed: the same bits and numbers as never stopped.
  @Test(arguments: [AdapterKind.none, .lora]) func resumes(_ adapter: AdapterKind) throws {
    try DigitModel.use { digits in
      let judge = try trainRewardModel(digits, .lora)
      func make() throws -> RLHF {
        try trainer(digits, rewards: evenDigits, rewardModel: judge) {
          ($0.temperature, $0.klTarget, $0.klHorizon, $0.miniBatches, $0.prompts) = (0.9, 2, 100, 3, 20)
          ($0.tuning.adapter, $0.tuning.loraRank, $0.tuning.steps, $0.tuning.batchSize) = (adapter, 4, 5, 6)
        }
      }
      let whole = try TrainingRun(try make(), at: "\(digits.folder)/whole")
      _ = try whole.train()
      // The run lets go of its folder at the end of the function.
      func stopped() throws {
        let first = try TrainingRun(try make(), at: "\(digits.folder)/parts")
        #expect(try first.train(until: .at(3)) == .stopped(step: 3))
        #expect(bits(first.trainer.networks) != bits(whole.trainer.networks))
      }
      try stopped()
      let second = try RLHF.resume("\(digits.folder)/parts", rewards: evenDigits)
      #expect(try second.train() == .finished)
      #expect(bits(second.trainer.networks) == bits(whole.trainer.networks))
      #expect(second.trainer.state.coefficient == whole.trainer.state.coefficient)
      #expect(second.trainer.state.coefficient!.value != 0.005)
      func metrics(_ run: String) throws -> [String] {
        try String(contentsOfFile: "\(digits.folder)/\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n").map
        {
          $0.split(separator: ",").filter { part in
            !["time", "seconds", "eps", "memory"].contains { part.contains($0) }
          }.joined()
        }
      }
      #expect(try metrics("parts") == metrics("whole"))
    }
  }

  /// The rollouts before a judgement that fails are saved, and a resumed run repeats it: the same bits as without.
  @Test func repeatsARolloutWhoseJudgementFailed() throws {
    try DigitModel.use { digits in
      func make(_ rewards: WeightedRewards) throws -> RLHF {
        try trainer(digits, rewards: rewards) {
          ($0.tuning.steps, $0.prompts, $0.miniBatches, $0.tuning.batchSize) = (5, 20, 3, 6)
          ($0.klTarget, $0.klHorizon) = (2, 100)
        }
      }
      let whole = try TrainingRun(make(evenDigits), at: "\(digits.folder)/whole")
      _ = try whole.train()
      let broken = StopRequest()
      let rewards = breaking(evenDigits, when: broken)
      // The run lets go of its folder at the end of the function.
      func fail() throws {
        let first = try TrainingRun(make(rewards), at: "\(digits.folder)/parts")
        #expect(throws: DatasetError.self) {
          try first.train { if case .step(let step) = $0, step.progress.done == 3 { broken.stop() } }
        }
      }
      try fail()
      #expect(try CheckpointStore.newestValid(in: "\(digits.folder)/parts/checkpoints").checkpoint?.step == 3)
      let second = try RLHF.resume("\(digits.folder)/parts", rewards: evenDigits)
      #expect(try second.train() == .finished)
      #expect(bits(second.trainer.networks) == bits(whole.trainer.networks))
      #expect(second.trainer.state.coefficient == whole.trainer.state.coefficient)
    }
  }

  /// A run does not resume with a reward model whose weights have changed.
  @Test func theRewardModelMustBeTheSame() throws {
    try DigitModel.use { digits in
      let judge = try trainRewardModel(digits, .none)
      func stopped() throws {
        let trainer = try trainer(digits, rewards: WeightedRewards([]), rewardModel: judge) { $0.tuning.steps = 2 }
        _ = try TrainingRun(trainer, at: "\(digits.folder)/run").train(until: .at(1))
      }
      try stopped()
      // The same reward model is accepted.
      func resumed() throws { _ = try RLHF.resume("\(digits.folder)/run", rewards: WeightedRewards([])) }
      try resumed()
      let file = "\(judge)/model/model.safetensors"
      var tensors = try SafetensorsFile(path: file).tensors().mapValues { $0.copy() }
      tensors["score.weight"] = Tensor([Float](repeating: 1, count: 32), [1, 32])
      try SafetensorsFile.write(tensors, to: file)
      let error = #expect(throws: AlignmentError.self) { try resumed() }
      #expect(error.map { "\($0.message)" }?.contains("the reward model has changed") == true)
    }
  }

  /// Policy, reference, value function and reward model on one base give the bits that separate copies give.
  @Test func switchingAdaptersLeavesNothingBehind() throws {
    try DigitModel.use { digits in
      let judge = try trainRewardModel(digits, .lora)
      let shared = try trainer(digits, rewards: WeightedRewards([]), rewardModel: judge) {
        ($0.tuning.adapter, $0.tuning.learningRate) = (.lora, 1e-2)
      }
      for _ in 0..<3 { _ = try shared.step() }
      try shared.save(to: "\(digits.folder)/saved")
      let tokens = Tensor((0..<12).map { Int32(1 + $0 % 10) }, [1, 12])
      func hidden(_ backbone: Transformer) -> [UInt32] {
        withoutGradient { backbone(tokens) }.array().map(\.bitPattern)
      }
      func separate(_ adapter: String?) throws -> [UInt32] {
        let model = try TrainedModel(digits.model, precision: .float32).model
        if let adapter {
          try AdapterFolder.load(adapter, into: model, as: "own", allowsScore: true)
          model.useAdapter("own")
        }
        return hidden(model.backbone)
      }
      let model = shared.tuned.model
      #expect(hidden(model.backbone) == (try separate("\(digits.folder)/saved/adapter")))
      #expect(shared.tuned.reference { hidden($0.backbone) } == (try separate(nil)))
      model.useAdapter("value")
      #expect(hidden(model.backbone) == (try separate("\(digits.folder)/saved/value")))
      model.useAdapter("reward")
      #expect(hidden(model.backbone) == (try separate("\(judge)/adapter")))
      model.useAdapter("policy")
      #expect(hidden(model.backbone) == (try separate("\(digits.folder)/saved/adapter")))
      // The value function began as the reward model and has moved; the reward model has not.
      #expect(try separate("\(digits.folder)/saved/value") != separate("\(judge)/adapter"))
    }
  }

  /// A run that starts from a trained adapter has that as its reference, and not the bare base.
  @Test func referenceIsTheAdapterStartedFrom() throws {
    try DigitModel.use { digits in
      func change(_ c: inout RLHF.Configuration) {
        (c.tuning.adapter, c.tuning.loraRank, c.tuning.steps, c.tuning.learningRate) = (.lora, 4, 4, 2e-2)
        c.klEstimator = .k3  // never negative
      }
      func first() throws -> Double {
        let run = try TrainingRun(try trainer(digits, change), at: "\(digits.folder)/first")
        _ = try run.train()
        return try run.trainer.step()["objective/kl"]!
      }
      #expect(try first() > 0.01)
      let second = try trainer(digits, from: "\(digits.folder)/first", change)
      #expect(try second.step()["objective/kl"]! < 1e-5)
      #expect(try second.step()["objective/kl"]! > 1e-4)
    }
  }

  /// A completion that is cut off is scored less, by the penalty.
  @Test func missingEndsArePenalized() throws {
    try DigitModel.use { digits in
      func report(_ penalty: Float) throws -> StepReport {
        try trainer(digits) { $0.missingEndPenalty = penalty }.step()
      }
      let (plain, penalized) = (try report(0), try report(2))
      let share = 1 - plain["val/num_eos_tokens"]! / 64
      #expect(share > 0.1 && share == plain["completions/clipped_ratio"]!)
      #expect(abs(plain["objective/scores"]! - 2 * share - penalized["objective/scores"]!) < 1e-9)
    }
  }

  /// A heavy penalty, or an adaptive one with a low target, keeps the policy where the reference is.
  @Test func penaltyHoldsThePolicy() throws {
    try DigitModel.use { digits in
      func run(_ change: (inout RLHF.Configuration) -> Void) throws -> StepReport {
        let trainer = try trainer(digits, change)
        return try (0..<15).map { _ in try trainer.step() }.last!
      }
      let free = try run { $0.klCoefficient = 0 }
      let held = try run { $0.klCoefficient = 0.5 }
      let adaptive = try run { ($0.klCoefficient, $0.klTarget, $0.klHorizon) = (0.05, 0.1, 30) }
      #expect(held["objective/kl"]! < free["objective/kl"]! / 4)
      #expect(adaptive["kl_coefficient"]! > 0.1 && adaptive["objective/kl"]! < free["objective/kl"]!)
    }
  }

  /// In parts of any size, one step gives the same model.
  @Test func microBatchesDoNotMatter() throws {
    try DigitModel.use { digits in
      func stepped(_ size: Int) throws -> (RLHF, StepReport) {
        let trainer = try trainer(digits) { ($0.prompts, $0.tuning.batchSize, $0.tuning.clip) = (15, size, 0) }
        return (trainer, try trainer.step())
      }
      let (whole, report) = try stepped(15)
      for size in [1, 4, 7] {
        let (parts, other) = try stepped(size)
        #expect(largestDifference(whole.networks, parts.networks) < 5e-4)
        for name in ["loss", "gradient_norm", "loss/value_avg", "objective/scores"] {
          #expect(abs(other[name]! - report[name]!) < 1e-4 * (1 + abs(report[name]!)), "\(name) with \(size)")
        }
      }
    }
  }

  /// A reward model with random weights and a backbone of its own; `change` makes its shape another than the policy's.
  private func writeRewardModel(
    _ digits: DigitModel, _ change: (inout TransformerConfiguration) -> Void
  ) throws -> String {
    let trained = try TrainedModel(digits.model, precision: .float32)
    var (c, random) = (trained.model.configuration, RandomSource(seed: 3))
    change(&c)
    let backbone = TransformerLM(c, random: &random).backbone
    let score = random.normal([1, c.width], standardDeviation: 1)
    let path = "\(digits.folder)/judge"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try ModelFolder.save(ScoreModel(backbone, score: score), of: trained, to: path)
    return path
  }

  /// The models of a comparison, with a random reference whose shape `change` makes another.
  private func comparison(
    _ digits: DigitModel, judge: String, _ change: (inout TransformerConfiguration) -> Void
  ) throws -> Comparison {
    var (c, random) = (try TrainedModel(digits.model).model.configuration, RandomSource(seed: 4))
    change(&c)
    let reference = "\(digits.folder)/reference"
    try FileManager.default.createDirectory(atPath: reference, withIntermediateDirectories: true)
    try ModelFolder.save(
      TransformerLM(c, random: &random), tokenizer: CharacterTokenizer(corpus: ["0123456789 "]), to: reference)
    var plan = Comparison.Plan(
      models: [digits.model], reference: reference, data: .init(files: [digits.data]),
      judge: JudgeDescription(rewardModel: judge))
    plan.maximumTokens = 6
    return try Comparison(plan)
  }

  /// A judge or reference that cannot read a prompt with its completion is named before training, with the row.
  @Test func smallerContextsAreTold() throws {
    try DigitModel.use { digits in
      func refusal(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "nothing"
      }
      let judge = try writeRewardModel(digits) { $0.context = 8 }
      let message = "with a completion of 6 it exceeds the reward model's context of 8"
      #expect(refusal { _ = try trainer(digits, rewards: nil, rewardModel: judge) }.contains(message))
      var grpo = GRPO.Configuration()
      (grpo.maximumTokens, grpo.tuning.adapter) = (6, .none)
      let description = JudgeDescription(rewardModel: judge)
      let improving = refusal {
        _ = try GRPO(digits.model, data: .init(files: [digits.data]), judge: description, grpo)
      }
      #expect(improving.contains(message), "\(improving)")
      #expect(refusal { _ = try comparison(digits, judge: judge) { _ in } }.contains(message))
      let compared = refusal { _ = try comparison(digits, judge: judge) { $0.context = 7 } }
      #expect(compared.contains("it exceeds the reference's context of 7"), "\(compared)")
    }
  }

  /// With a sliding window no prompt is shared: value function, reward model and reference each read rollouts in their
  /// own way.
  @Test func slidingWindowsBesideThePolicy() throws {
    try DigitModel.use { digits in
      let rows = [String](repeating: #"{"prompt": "12 "}"#, count: 8)
      try rows.joined(separator: "\n").write(toFile: digits.data, atomically: true, encoding: .utf8)
      let judge = try writeRewardModel(digits) { $0.window = 4 }
      let trainer = try trainer(digits, rewards: WeightedRewards([]), rewardModel: judge) { $0.prompts = 8 }
      #expect(trainer.value.model.configuration.window == 4 && trainer.tuned.model.configuration.window == nil)
      let report = try trainer.step()
      #expect(report["loss"]!.isFinite && report["val/first_ratio_deviation"] == 0)
      let compared = try comparison(digits, judge: judge) { $0.window = 4 }
      #expect(compared.models[0].completions.allSatisfy { $0.logRatio!.isFinite })
    }
  }

  /// Of a run that was stopped, the newest checkpoint judges, also beside a policy that does not share its base.
  @Test func aStoppedRewardModelJudges() throws {
    try DigitModel.use { digits in
      let path = "\(digits.folder)/pairs.jsonl"
      let rows = (0..<16).map { #"{"prompt": "\#($0 % 10) ", "chosen": "2", "rejected": "13"}"# }
      try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
      var c = RewardModel.Configuration()
      (c.tuning.precision, c.tuning.loraRank, c.tuning.steps) = (.float32, 8, 20)
      (c.tuning.learningRate, c.tuning.maximumLength, c.tuning.evaluateEvery) = (1e-2, 16, 0)
      let run = try TrainingRun(
        RewardModel(digits.model, data: .init(files: [path]), c), at: "\(digits.folder)/stopped")
      #expect(try run.train(until: .at(10)) == .stopped(step: 10))
      let sequences: [[Int32]] = [[1, 2, 3], [4, 5, 6, 7, 8], [9, 3]]
      let scores = run.trainer.model.scores(of: sequences, batchSize: 4)
      #expect(scores.allSatisfy { $0 != 0 })
      // The value function begins as a copy of the reward model.
      let value = try trainer(digits, rewards: WeightedRewards([]), rewardModel: run.folder.path).value
      for (a, b) in zip(scores, value.model.scores(of: sequences, batchSize: 4)) { #expect(abs(a - b) < 1e-4) }
      #expect(try comparison(digits, judge: run.folder.path) { _ in }.functions == ["reward_model"])
    }
  }

  @Test func anAdaptiveCoefficientStartsAboveZero() {
    #expect(throws: ConfigurationError.self) {
      _ = try RLHF.Configuration().changed(["kl-coefficient": "0", "kl-target": "6"])
    }
  }

  @Test func whatCannotBeARewardModel() throws {
    try DigitModel.use { digits in
      func message(_ rewardModel: String?, _ rewards: WeightedRewards? = nil) throws -> String {
        do {
          _ = try trainer(digits, rewards: rewards, rewardModel: rewardModel).step()
          return ""
        } catch let error as any SettingError { return "\(error.message)" } catch { return "\(error)" }
      }
      #expect(try message(nil).contains("are missing"))
      #expect(try message(digits.model).contains("is not a reward model"))
      #expect(try message("\(digits.folder)/nowhere").contains("nowhere"))
      let judge = try trainRewardModel(digits, .none)
      let file = "\(judge)/model/model.safetensors"
      var tensors = try SafetensorsFile(path: file).tensors().mapValues { $0.copy() }
      tensors["score.weight"] = Tensor([Float](repeating: .nan, count: 32), [1, 32])
      try SafetensorsFile.write(tensors, to: file)
      #expect(try message(judge).contains("is not a finite number"))
      #expect(try message(nil, WeightedRewards([Reward("bad") { _ in .nan }])).contains("is not a finite number"))
    }
  }
}
