import Foundation
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining
import Testing

import NablaAlignment

@Suite struct GRPOTrainingTests {
  /// From about 0.4 to almost 1. The seeds are not tuned to; with a wrong sign the reward falls.
  @Test(
    arguments: [
      (UInt64(11), TokenAggregation.dapo, ImportanceSampling.token, AdapterKind.none),
      (12, .grpo, .sequence, .none), (13, .drGRPO, .token, .none), (14, .bnpo, .token, .lora),
    ])
  func learnsEvenDigits(
    _ seed: UInt64, _ variant: TokenAggregation, _ sampling: ImportanceSampling, _ adapter: AdapterKind
  ) throws {
    try DigitModel.use(seed: seed) { digits in
      let trainer = try digits.trainer {
        ($0.variant, $0.importanceSampling) = (variant, sampling)
        ($0.tuning.seed, $0.tuning.adapter, $0.tuning.loraRank, $0.tuning.steps) = (seed, adapter, 8, 60)
        $0.tuning.learningRate = adapter == .lora ? 2e-2 : 5e-3
      }
      let reports = try (0..<60).map { _ in try trainer.step() }
      let rewards = reports.map { $0["reward"]! }
      #expect(rewards[0] < 0.65, "\(rewards)")
      #expect(rewards.suffix(5).reduce(0, +) / 5 >= 0.9, "\(rewards)")
      #expect(try trainer.evaluate(isFinal: true).first { $0.name == "eval_reward" }!.value >= 0.9)
      #expect(reports.allSatisfy { $0["sampling/sampling_logp_difference/mean"]! < 1e-5 })
    }
  }

  /// Stopped in the middle of a rollout and resumed: the same bits and numbers as never stopped.
  @Test(arguments: [AdapterKind.none, .lora]) func resumes(_ adapter: AdapterKind) throws {
    try DigitModel.use { digits in
      func make() throws -> GRPO {
        try digits.trainer {
          ($0.iterations, $0.beta, $0.temperature) = (3, 0.05, 0.9)
          ($0.tuning.adapter, $0.tuning.loraRank, $0.tuning.steps, $0.tuning.batchSize) = (adapter, 4, 7, 24)
        }
      }
      let whole = try TrainingRun(try make(), at: "\(digits.folder)/whole")
      _ = try whole.train()
      // The run lets go of its folder at the end of the function.
      func stopped() throws -> [String: [UInt32]] {
        let first = try TrainingRun(try make(), at: "\(digits.folder)/parts")
        #expect(try first.train(until: .at(4)) == .stopped(step: 4))
        return bits(first.trainer.tuned.model)
      }
      #expect(try stopped() != bits(whole.trainer.tuned.model))
      let second = try GRPO.resume("\(digits.folder)/parts", rewards: evenDigits)
      #expect(second.trainer.state.iteration == 1 && second.trainer.state.batch != nil)
      #expect(try second.train() == .finished)
      #expect(bits(second.trainer.tuned.model) == bits(whole.trainer.tuned.model))
      func metrics(_ run: String) throws -> [String] {
        try String(contentsOfFile: "\(digits.folder)/\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n").map
        {
          $0.split(separator: ",").filter { part in
            !["time", "seconds", "per_second", "memory"].contains { part.contains($0) }
          }.joined()
        }
      }
      #expect(try metrics("parts") == metrics("whole"))
    }
  }

  /// The steps before a judgement that fails are saved, and a resumed run repeats the step: the same bits as without.
  @Test func repeatsAStepWhoseJudgementFailed() throws {
    try DigitModel.use { digits in
      func make(_ rewards: WeightedRewards) throws -> GRPO {
        try digits.trainer(rewards: rewards) { $0.tuning.steps = 5 }
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
      let second = try GRPO.resume("\(digits.folder)/parts", rewards: evenDigits)
      #expect(try second.train() == .finished)
      #expect(bits(second.trainer.tuned.model) == bits(whole.trainer.tuned.model))
    }
  }

  /// Every row is looked at before the first step, whichever steps would come to it; and a resumed run has the same.
  @Test func rowsAreChecked() throws {
    try DigitModel.use { digits in
      let rows = try String(contentsOfFile: digits.data, encoding: .utf8)
      let rewards = WeightedRewards([.numericAnswer()])
      for answer in ["null", "\"many\""] {
        try (rows + #"{"prompt": "11 ", "answer": \#(answer)}"#).write(
          toFile: digits.data, atomically: true, encoding: .utf8)
        let error = #expect(throws: DatasetError.self) { try digits.trainer(rewards: rewards) }
        #expect(error?.file == digits.data && error?.line == 41)
      }
      try rows.write(toFile: digits.data, atomically: true, encoding: .utf8)
      func stopped() throws {
        _ = try TrainingRun(digits.trainer(rewards: rewards), at: "\(digits.folder)/run").train(until: .at(1))
      }
      try stopped()
      try rows.replacingOccurrences(of: #""answer": "7""#, with: #""answer": "8""#).write(
        toFile: digits.data, atomically: true, encoding: .utf8)
      let error = #expect(throws: AlignmentError.self) {
        try GRPO.resume("\(digits.folder)/run", rewards: rewards)
      }
      #expect(error.map { "\($0.message)" }?.contains("the data has changed") == true)
    }
  }

  /// One step gives the same model whatever the size of its micro-batches.
  @Test(arguments: TokenAggregation.allCases) func microBatchesDoNotMatter(_ variant: TokenAggregation) throws {
    try DigitModel.use { digits in
      func stepped(_ size: Int) throws -> (GRPO, StepReport) {
        let trainer = try digits.trainer {
          ($0.variant, $0.beta, $0.masksTruncated, $0.prompts, $0.groupSize) = (variant, 0.1, true, 3, 5)
          ($0.tuning.batchSize, $0.tuning.clip) = (size, 0)
        }
        // Once more: at the second step policy and reference differ.
        _ = try trainer.step()
        return (trainer, try trainer.step())
      }
      let (whole, report) = try stepped(15)
      #expect(report["gradient_norm"]! > 1e-3)
      for size in [1, 4, 7] {
        let (parts, other) = try stepped(size)
        #expect(largestDifference(whole.tuned.model, parts.tuned.model) < 2e-4)
        for name in ["loss", "gradient_norm", "kl", "entropy", "reward"] {
          #expect(abs(other[name]! - report[name]!) < 1e-4 * (1 + abs(report[name]!)), "\(name) with \(size)")
        }
      }
    }
  }

  /// Equal rewards say nothing: no gradient, no NaN, and every group is counted.
  @Test func groupsWithoutVariance() throws {
    try DigitModel.use { digits in
      let trainer = try digits.trainer(rewards: WeightedRewards([Reward("same") { _ in 0.3 }]))
      let before = bits(trainer.tuned.model)
      let report = try trainer.step()
      #expect(report["frac_reward_zero_std"] == 1 && report["reward_std"] == 0 && report["gradient_norm"] == 0)
      #expect(report.metrics.allSatisfy { $0.value.isFinite })
      #expect(bits(trainer.tuned.model) == before)
    }
  }

  /// The first of several steps on a rollout clips nothing and is nowhere from the reference; later ones are.
  @Test func iterationsLeaveTheOldPolicy() throws {
    try DigitModel.use { digits in
      // At a temperature that all three share: else the first numbers would not be exactly 0.
      let trainer = try digits.trainer {
        ($0.iterations, $0.beta, $0.tuning.learningRate, $0.temperature) = (4, 1e-3, 2e-2, 0.7)
      }
      let reports = try (0..<5).map { _ in try trainer.step() }
      #expect(reports[0]["clip_ratio/region_mean"] == 0 && reports[0]["kl"] == 0)
      #expect(reports[3]["clip_ratio/region_mean"]! > 0.01 && reports[3]["kl"]! > 1e-3)
      #expect(reports[4]["clip_ratio/region_mean"] == 0)
      #expect(reports[..<4].allSatisfy { $0["reward"] == reports[0]["reward"] })
      #expect(reports[4]["reward"] != reports[0]["reward"])
    }
  }

  /// A run that starts from a trained adapter has that as its reference, and not the bare base: at its first step there
  /// is no divergence, though the adapter is far from the base.
  @Test func referenceIsTheAdapterStartedFrom() throws {
    try DigitModel.use { digits in
      func change(_ c: inout GRPO.Configuration) {
        (c.tuning.adapter, c.tuning.loraRank, c.tuning.steps, c.tuning.learningRate) = (.lora, 4, 5, 2e-2)
        c.beta = 0.01
      }
      func first() throws -> Double {
        let run = try TrainingRun(try digits.trainer(change), at: "\(digits.folder)/first")
        _ = try run.train()
        return try run.trainer.step()["kl"]!
      }
      #expect(try first() > 1e-3)
      let second = try digits.trainer(from: "\(digits.folder)/first", change)
      #expect(try second.step()["kl"] == 0)
      #expect(try second.step()["kl"]! > 0)
    }
  }

  /// A heavy penalty keeps the policy where the reference is.
  @Test func penaltyHoldsThePolicy() throws {
    try DigitModel.use { digits in
      func divergence(_ beta: Float) throws -> Double {
        let trainer = try digits.trainer { $0.beta = beta }
        return try (0..<25).map { _ in try trainer.step() }.last!["kl"]!
      }
      let (free, held) = (try divergence(1e-4), try divergence(1))
      #expect(held < free / 4, "\(held) against \(free)")
    }
  }

  /// In bfloat16 sampler and trainer round differently; the weights that correct for it are near 1 and reported.
  @Test func correctsForTheSampler() throws {
    try DigitModel.use { digits in
      let trainer = try digits.trainer { $0.tuning.precision = .bfloat16 }
      let report = try trainer.step()
      #expect(report["sampling/sampling_logp_difference/mean"]! > 0)
      #expect(report["sampling/sampling_logp_difference/mean"]! < 0.05)
      #expect(abs(report["sampling/importance_sampling_ratio/mean"]! - 1) < 0.05)
    }
  }

  @Test func settingsThatMakeNoSense() throws {
    try DigitModel.use { digits in
      #expect(throws: ConfigurationError.self) { try digits.trainer { $0.tuning.loraDropout = 0.1 } }
      #expect(throws: ConfigurationError.self) {
        var c = GRPO.Configuration()
        c.maximumTokens = 4
        _ = try GRPO(digits.model, data: .init(files: [digits.data]), judge: JudgeDescription(), c)
      }
      struct Refusal: Error {}
      for bad in [Reward("bad") { _ in .nan }, Reward("bad") { _ in throw Refusal() }] {
        let error = #expect(throws: DatasetError.self) {
          _ = try digits.trainer(rewards: WeightedRewards([bad])).step()
        }
        #expect(error?.file == digits.data && error?.line != nil)
      }
    }
  }
}
