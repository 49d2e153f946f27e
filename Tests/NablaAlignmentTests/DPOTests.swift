import Foundation
import NablaAlignment
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
      }
      let whole = try TrainingRun(DPO(model, data: data, c), at: "\(folder)/whole")
      let expected = try losses(whole)
      let start = try losses(TrainingRun(DPO(model, data: data, c), at: "\(folder)/parts"), until: .at(2))
      let second = try DPO.resume("\(folder)/parts")
      #expect(start + (try losses(second)) == expected)
      #expect(trainedBits(second.trainer.tuned.model) == trainedBits(whole.trainer.tuned.model))
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
