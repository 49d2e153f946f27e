import Foundation
import NablaAlignment
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining
import Testing

@Suite struct RewardModelTests {
  private func configuration(
    _ change: (inout RewardModel.Configuration) -> Void = { _ in }
  ) -> RewardModel.Configuration {
    var c = RewardModel.Configuration()
    c.tuning = small()
    change(&c)
    return c
  }

  @Test("which of two completions people choose is learned", arguments: AdapterKind.allCases)
  func learns(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(pairs, in: folder)
      let c = configuration {
        $0.tuning.adapter = kind
        $0.tuning.epochs = 6
        $0.tuning.evaluateEvery = 0
        if kind == .none { $0.tuning.learningRate = 3e-3 }
      }
      let run = try TrainingRun(RewardModel(writeModel(in: folder), data: data, c), at: "\(folder)/run")
      var first: StepReport?
      _ = try run.train { if case .step(let step) = $0 { first = first ?? step.report } }
      // The head begins at 0: no reward, no preference.
      #expect(abs(first!["loss"]! - log(2)) < 1e-6 && first!["margin"] == 0 && first!["accuracy"] == 0)
      let last = Dictionary(uniqueKeysWithValues: run.evaluation.map { ($0.name, $0.value) })
      #expect(last["eval_accuracy"]! > 0.9 && last["eval_margin"]! > 0.5 && last["validation_loss"]! < 0.5, "\(last)")
      #expect(last["eval_accuracy_low"]! < last["eval_accuracy"]! && last["eval_accuracy_high"]! <= 1)
      #expect(last["eval_calibration_error"]! < 0.5 && last["eval_max_reward"]! > last["eval_mean_reward"]!)
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
        $0.centering = 0.01
      }
      let whole = try TrainingRun(RewardModel(model, data: data, c), at: "\(folder)/whole")
      let expected = try losses(whole)
      let start = try losses(TrainingRun(RewardModel(model, data: data, c), at: "\(folder)/parts"), until: .at(2))
      let second = try RewardModel.resume("\(folder)/parts")
      #expect(start + (try losses(second)) == expected && expected.last! < expected[0])
      #expect(trainedBits(second.trainer.model) == trainedBits(whole.trainer.model))
    }
  }

  /// -ln σ(0 - margin) at the first step, and a mean over all pairs whatever the micro-batches are.
  @Test func marginsAreRead() throws {
    try withTemporaryFolder { folder in
      let rows = pairs.enumerated().map { $1.dropLast() + #", "margin": \#(Double($0 % 3))}"# }
      let data = try writeRows(rows.map(String.init), in: folder)
      let model = try writeModel(in: folder)
      for (size, parts) in [(32, 1), (4, 8)] {
        let trainer = try RewardModel(
          model, data: data,
          configuration {
            ($0.tuning.batchSize, $0.tuning.gradientAccumulation, $0.tuning.heldOutFraction) = (size, parts, 0)
          })
        let expected = (0..<32).map { log(1 + exp(Double($0 % 3))) }.reduce(0, +) / 32
        #expect(abs(try trainer.step()["loss"]! - expected) < 1e-5)
      }
      let mixed = try writeRows([pairs[0]] + rows.dropFirst().map(String.init), in: folder, name: "mixed.jsonl")
      let error = #expect(throws: DatasetError.self) { _ = try RewardModel(model, data: mixed, configuration()) }
      #expect(error?.line == 1 && error?.column == "margin")
    }
  }

  /// Read at the last token by length: what stands beside a sequence, and which token its last one is, do not matter.
  @Test func scoresAreReadAtTheLastToken() throws {
    var random = RandomSource(seed: 4)
    let c = TransformerConfiguration(
      vocabularySize: 40, context: 32, width: 16, layerCount: 2, headCount: 2, feedForwardWidth: 24)
    let language = TransformerLM(c, random: &random)
    for p in language.parameters() where p.value.rank > 1 { p.value = p.value * Tensor(8) }
    let model = ScoreModel(language.backbone, score: random.normal([1, 16], standardDeviation: 1))
    // The last tokens are the end (2), a padding token (0), the same twice, and one that is neither.
    let sequences: [[Int32]] = [[5, 9, 2], [7, 0, 0], [3], [8, 2, 2, 2], [6, 30, 31, 32, 33, 34, 35, 0, 9]]
    let together = model.scores(of: sequences, batchSize: 5)
    for (sequence, score) in zip(sequences, together) {
      let hidden = withoutGradient { model.backbone(Tensor(sequence, [1, sequence.count])) }
      let last = withoutGradient { model.scores(hidden.reshaped([sequence.count, 16])) }.array().last!
      #expect(abs(last - score) < 1e-5)
      #expect(abs(model.scores(of: [sequence], batchSize: 1)[0] - score) < 1e-5)
    }
    #expect(Set(together.map { ($0 * 1e3).rounded() }).count == 5)
  }

  @Test("what transformers saved gives its scores", arguments: ["llama", "qwen2", "gpt2"])
  func readsTransformers(_ name: String) throws {
    let folder =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
      + "/Fixtures/score_models/\(name)"
    let fixture = try SafetensorsFile(path: "\(folder)/reference.safetensors").tensors()
    let (language, score) = try ModelFolder.read(folder, keepingTypes: true)
    #expect(score != nil)
    let model = ScoreModel(language.backbone, score: score)
    var (sequences, start): ([[Int32]], Int) = ([], 0)
    let tokens = fixture["tokens"]!.array(of: Int32.self)
    for length in fixture["lengths"]!.array(of: Int32.self).map(Int.init) {
      sequences.append(Array(tokens[start..<start + length]))
      start += length
    }
    let scores = model.scores(of: sequences, batchSize: 5)
    for (mine, theirs) in zip(scores, fixture["scores"]!.array()) { #expect(abs(mine - theirs) < 2e-5) }
    #expect(throws: ModelFolderError.self) { _ = try ModelFolder.load(folder) }
  }

  /// model/ has the adapter's change and the head; transformers gives the same scores, padded or not.
  @Test(arguments: [AdapterKind.lora, .dora, .none]) func isSavedForTransformers(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let base = try writeModel(in: folder)
      let c = configuration { ($0.tuning.adapter, $0.tuning.steps) = (kind, 6) }
      let run = try TrainingRun(RewardModel(base, data: writeRows(pairs, in: folder), c), at: "\(folder)/run")
      _ = try run.train()
      let path = run.folder.path + "/model"
      let sequences: [[Int32]] = [[97, 63, 97, 97, 256], [98, 63, 110, 111, 256], [120, 121], [0, 0, 256]]
      let scores = run.trainer.model.scores(of: sequences, batchSize: 4)
      let (language, score) = try ModelFolder.read(path, keepingTypes: true)
      let loaded = ScoreModel(language.backbone, score: score).scores(of: sequences, batchSize: 4)
      for (a, b) in zip(scores, loaded) { #expect(abs(a - b) < 1e-4) }
      #expect(abs(scores[0] - scores[1]) > 0.05)
      // As a language model it is refused, as a reward model trained on.
      let error = #expect(throws: ModelFolderError.self) { _ = try TrainedModel(run.folder.path) }
      #expect(error?.description.contains("reward model") == true)
      let again = try RewardModel(run.folder.path, data: writeRows(pairs, in: folder), c)
      for (a, b) in zip(scores, again.model.scores(of: sequences, batchSize: 4)) { #expect(abs(a - b) < 1e-6) }

      guard let python = ProcessInfo.processInfo.environment["NABLA_PYTHON"] else { return }
      let check: JSONValue = ["sequences": .array(sequences.map { .array($0.map { .integer(Int($0)) }) })]
      try AtomicFile.write(check.serialized(), to: "\(path)/check.json")
      try SafetensorsFile.write(["scores": Tensor(scores)], to: "\(path)/check.safetensors")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: python)
      process.arguments = [
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
          + "/Fixtures/generate/check_scores.py", path,
      ]
      if kind != .none { process.arguments! += ["--adapter", base, run.folder.path + "/adapter"] }
      try process.run()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
  }

  /// Pairs that are dropped as too long are not among the rows to evaluate on; where nothing else is held out, that is
  /// told.
  @Test func longPairsAreNotEvaluatedOn() throws {
    try withTemporaryFolder { folder in
      let model = try writeModel(in: folder)
      let answer = String(repeating: "a", count: 20)
      let long = (0..<48).map { #"{"prompt": "\#($0)?", "chosen": "\#(answer)", "rejected": "b"}"# }
      func trainer(_ rows: [String], _ change: (inout TuningConfiguration) -> Void) throws -> RewardModel {
        let c = configuration {
          $0.tuning.maximumLength = 12
          change(&$0.tuning)
        }
        return try RewardModel(model, data: writeRows(rows, in: folder), c)
      }
      let some = try trainer(Array(pairs[..<16]) + long) { ($0.heldOutFraction, $0.evaluationRows) = (0.5, 3) }
      let text = try #require(try some.sample()).text
      #expect(text.components(separatedBy: "== prompt").count == 4, "\(text)")

      var count = 0
      for seed in UInt64(1)...8 {
        // One row is held out.
        let one = try trainer(Array(pairs[..<8] + long[..<24])) { ($0.heldOutFraction, $0.seed) = (0.03, seed) }
        guard case .preference(_, .plain(let chosen), _) = one.data.heldOut[0].content else { continue }
        let warns = one.data.warnings.contains { $0.contains("no held-out rows are left") }
        #expect(warns == (chosen == answer))
        count += warns ? 1 : 0
      }
      #expect(count > 0)
    }
  }

  @Test func dataThatTeachesNothing() throws {
    try withTemporaryFolder { folder in
      let model = try writeModel(in: folder)
      func message(_ rows: [String], _ change: (inout RewardModel.Configuration) -> Void = { _ in }) throws -> String {
        do {
          _ = try RewardModel(model, data: writeRows(rows, in: folder), configuration(change))
          return ""
        } catch let error as any SettingError { return "\(error.message)" } catch { return "\(error)" }
      }
      #expect(try message(repetitions).contains("chosen"))
      let equal = #"{"prompt": "a?", "chosen": "same", "rejected": "same"}"#
      let warnings = try RewardModel(model, data: writeRows(pairs + [equal], in: folder), configuration()).data.warnings
      #expect(warnings.contains { $0.contains("a pair of equal completions teaches nothing") }, "\(warnings)")
      // Both too long: what would be scored is not their end.
      #expect(try message(pairs) { $0.tuning.maximumLength = 4 }.contains("longer than the maximum length"))
      let nan = pairs.map { $0.dropLast() + #", "margin": "x"}"# }
      #expect(try message(nan.map(String.init)).contains("expected a number"))
    }
  }
}
