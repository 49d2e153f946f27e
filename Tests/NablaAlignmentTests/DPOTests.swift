import Foundation
import NablaAlignment
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining
import Testing

@Suite struct DPOTests {
  private func configuration(_ change: (inout DPO.Configuration) -> Void = { _ in }) -> DPO.Configuration {
    var c = DPO.Configuration()
    c.tuning = small()
    change(&c)
    return c
  }

  @Test("pairs are learned, and the first loss is ln 2", arguments: AdapterKind.allCases)
  func learns(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(pairs, in: folder)
      let c = configuration {
        $0.tuning.adapter = kind
        $0.tuning.epochs = 6
        $0.tuning.evaluateEvery = 0
        if kind == .none { $0.tuning.learningRate = 3e-3 }
      }
      let run = try TrainingRun(DPO(writeModel(in: folder), data: data, c), at: "\(folder)/run")
      var evaluations: [[String: Double]] = []
      var first: StepReport?
      _ = try run.train { event in
        switch event {
        case .evaluated(_, let metrics):
          evaluations.append(Dictionary(uniqueKeysWithValues: metrics.map { ($0.name, $0.value) }))
        case .step(let step): first = first ?? step.report
        default: break
        }
      }
      // The policy begins as its reference: no reward, no divergence.
      #expect(abs(first!["loss"]! - log(2)) < 1e-4 && abs(first!["rewards/margins"]!) < 1e-4)
      #expect(evaluations.count == 2 && abs(evaluations[0]["eval_kl"]!) < 1e-5)
      let last = evaluations[1]
      #expect(last["eval_rewards/accuracies"]! > 0.9 && last["eval_rewards/margins"]! > 0.5, "\(last)")
      #expect(last["validation_loss"]! < 0.5 && last["eval_kl"]! > 0)
    }
  }

  @Test("a run that was stopped gives the same bits", arguments: AdapterKind.allCases)
  func resumes(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let (model, data) = (try writeModel(in: folder), try writeRows(pairs, in: folder))
      let c = configuration {
        $0.tuning.adapter = kind
        $0.tuning.steps = 4
        $0.tuning.gradientAccumulation = 2
        $0.tuning.loraDropout = kind == .none ? 0 : 0.2
        $0.betaLearningRate = kind == .dora ? nil : 0.02
      }
      let whole = try TrainingRun(DPO(model, data: data, c), at: "\(folder)/whole")
      let expected = try losses(whole)
      let start = try losses(TrainingRun(DPO(model, data: data, c), at: "\(folder)/parts"), until: .at(2))
      let second = try DPO.resume("\(folder)/parts")
      #expect(start + (try losses(second)) == expected)
      #expect(trainedBits(second.trainer.tuned.model) == trainedBits(whole.trainer.tuned.model))
    }
  }

  /// [pair]: ln π_ref of the chosen completion, nil where the pair was not met yet.
  private func reference(_ run: TrainingRun<DPO>) throws -> [Double?] {
    let newest = try #require(try CheckpointStore.newestValid(in: run.folder.checkpointsPath).checkpoint)
    let json = try JSONValue(contentsOfFile: newest.file("reference.json"))
    return try #require(json["chosen"]?.array).map(\.double)
  }

  @Test(
    "the reference is evaluated at the first use of a pair, and stays the initial model",
    arguments: AdapterKind.allCases)
  func referenceIsLazy(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let (model, data) = (try writeModel(in: folder), try writeRows(pairs, in: folder))
      func run(_ name: String, rate: Float) throws -> TrainingRun<DPO> {
        let c = configuration {
          $0.tuning.adapter = kind
          $0.tuning.learningRate = rate
          $0.tuning.heldOutFraction = 0.25
          $0.tuning.evaluationRows = 6
        }
        return try TrainingRun(DPO(model, data: data, c), at: "\(folder)/\(name)")
      }
      let moving = try run("moving", rate: 2e-2)
      _ = try moving.train(until: .at(1))
      // 24 pairs to train on, of which 4 were met, then 6 held out.
      let early = try reference(moving)
      #expect(early.count == 30 && early.count { $0 != nil } == 10 && early.suffix(6).allSatisfy { $0 != nil })
      _ = try moving.train()
      let still = try run("still", rate: 1e-12)
      _ = try still.train()
      let (numbers, expected) = (try reference(moving), try reference(still))
      #expect(!numbers.contains(nil) && numbers == expected)
      #expect(zip(early, numbers).allSatisfy { $0 == nil || $0 == $1 })
    }
  }

  /// Of one pair, dL/d ln β = -σ(-z)·z where z is its margin: Adam's steps by hand.
  @Test func learnsBeta() throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(pairs, in: folder)
      let c = configuration {
        $0.betaLearningRate = 0.05
        $0.beta = 0.3
        ($0.tuning.batchSize, $0.tuning.steps, $0.tuning.heldOutFraction) = (1, 12, 0)
      }
      let dpo = try DPO(writeModel(in: folder), data: data, c)
      var (logarithm, m, v) = (log(0.3), 0.0, 0.0)
      for step in 1...12 {
        let report = try dpo.step()
        #expect(abs(report["beta"]! - exp(logarithm)) < 1e-5 * exp(logarithm), "step \(step)")
        let z = report["rewards/margins"]!
        #expect(abs(report["loss"]! - log(1 + exp(-z))) < 1e-5)
        let gradient = -z / (1 + exp(z))
        (m, v) = (0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient * gradient)
        let (a, b) = (m / (1 - pow(0.9, Double(step))), v / (1 - pow(0.999, Double(step))))
        logarithm -= 0.05 * a / (b.squareRoot() + 1e-8)
      }
      #expect(abs(logarithm - log(0.3)) > 0.1)
    }
  }

  @Test("a run that starts from an adapter begins with no reward", arguments: [AdapterKind.lora, .none])
  func startsFromAdapter(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      var sft = SFT.Configuration()
      sft.tuning = small { $0.steps = 5 }
      let rows = try writeRows(repetitions, in: folder, name: "sft.jsonl")
      _ = try TrainingRun(SFT(writeModel(in: folder), data: rows, sft), at: "\(folder)/sft").train()
      let data = try writeRows(pairs, in: folder)
      let dpo = try DPO("\(folder)/sft", data: data, configuration { $0.tuning.adapter = kind })
      let report = try dpo.step()
      #expect(abs(report["loss"]! - log(2)) < 1e-4 && abs(report["rewards/chosen"]!) < 1e-4, "\(report.metrics)")
    }
  }

  /// As divergence, which names a way out, and not as a trap of the calibration.
  @Test func evaluatesNonFiniteWeights() throws {
    try withTemporaryFolder { folder in
      let dpo = try DPO(writeModel(in: folder), data: writeRows(pairs, in: folder), configuration())
      _ = try dpo.step()
      for parameter in dpo.tuned.model.trainableParameters() { parameter.value = parameter.value * Tensor(Float.nan) }
      let error = #expect(throws: Diverged.self) { try dpo.evaluate(isFinal: false) }
      #expect(error?.reason == "the rewards of held-out pairs are non-finite")
    }
  }

  /// The adapter keeps its shape, and dropout is that of the run: what is recorded and reported is what is trained.
  @Test func takesOverTheShapeOfAnAdapter() throws {
    try withTemporaryFolder { folder in
      var sft = SFT.Configuration()
      sft.tuning = small {
        ($0.steps, $0.loraDropout, $0.quantization) = (1, 0.2, .nf4)
        $0.loraTargets = ["self_attn.q_proj", "down_proj"]
      }
      let rows = try writeRows(repetitions, in: folder, name: "sft.jsonl")
      _ = try TrainingRun(SFT(writeModel(in: folder, width: 64), data: rows, sft), at: "\(folder)/sft").train()
      let data = try writeRows(pairs, in: folder)
      func dpo(_ change: (inout TuningConfiguration) -> Void = { _ in }) throws -> DPO {
        let c = configuration {
          // The defaults.
          ($0.tuning.loraRank, $0.tuning.loraAlpha) = (16, 32)
          change(&$0.tuning)
        }
        return try DPO("\(folder)/sft", data: data, c)
      }
      let trainer = try dpo()
      let c = trainer.setup.training.tuning
      #expect(c.loraRank == 4 && c.loraAlpha == 8 && c.loraDropout == 0 && c.quantization == .nf4)
      #expect(trainer.summary.model?.contains("LoRA of rank 4, base in nf4") == true, "\(trainer.summary)")
      let adapters = trainer.tuned.model.adapter(TunedModel.policyName)
      #expect(adapters.count == 4 && adapters.allSatisfy { $0.adapter.configuration.dropout == 0 })
      let dropping = try dpo { $0.loraDropout = 0.1 }.tuned.model.adapter(TunedModel.policyName)
      #expect(dropping.allSatisfy { $0.adapter.configuration.dropout == 0.1 })
      // The same rank, and the same layers by other names.
      _ = try dpo { ($0.loraRank, $0.loraTargets) = (4, ["q_proj", "down_proj"]) }

      func refusal(_ change: (inout TuningConfiguration) -> Void) -> String {
        do { _ = try dpo(change) } catch { return "\(error)" }
        return "nothing"
      }
      let rank = refusal { $0.loraRank = 8 }
      #expect(rank.contains("lora-rank is 8") && rank.contains("sft/adapter, where it is 4"), "\(rank)")
      #expect(refusal { $0.loraAlpha = 4 }.contains("lora-alpha is 4"))
      #expect(refusal { $0.loraTargets = ["v_proj"] }.contains("lora-targets is v_proj"))
      #expect(refusal { $0.adapter = .dora }.contains("adapter is dora"))
      #expect(refusal { $0.usesRankStabilization = true }.contains("rslora is true"))
    }
  }

  @Test func rowsThatAreNoPairs() throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(repetitions, in: folder)
      #expect(throws: AlignmentError.self) {
        _ = try DPO(writeModel(in: folder), data: data, configuration())
      }
    }
  }

  @Test func settings() throws {
    #expect(throws: ConfigurationError.self) { _ = try DPO.Configuration().changed(["loss": "exo_pair"]) }
    #expect(throws: ConfigurationError.self) {
      _ = try DPO.Configuration().changed(["loss": "hinge", "label-smoothing": "0.1"])
    }
    #expect(throws: ConfigurationError.self) {
      _ = try DPO.Configuration().changed(["adapter": "none", "quantize": "nf4"])
    }
    let c = try DPO.Configuration().changed(["loss": "ipo", "lora-targets": "q_proj,v_proj", "steps": "3"])
    #expect(c.loss == .ipo && c.tuning.loraTargets == ["q_proj", "v_proj"] && c.tuning.steps == 3)
  }
}
