import Foundation
import NablaAlignment
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining
import Testing

@Suite struct SFTTests {
  private func configuration(_ change: (inout SFT.Configuration) -> Void = { _ in }) -> SFT.Configuration {
    var c = SFT.Configuration()
    c.tuning = small()
    change(&c)
    return c
  }

  @Test("held-out loss falls, and the end is learned", arguments: AdapterKind.allCases)
  func learns(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(repetitions, in: folder)
      let c = configuration {
        $0.tuning.adapter = kind
        $0.tuning.epochs = 250
        $0.tuning.loraRank = 16
        $0.tuning.loraAlpha = 32
        $0.tuning.evaluateEvery = 0
        if kind == .none { $0.tuning.learningRate = 3e-3 }
      }
      let run = try TrainingRun(SFT(writeModel(in: folder), data: data, c), at: "\(folder)/run")
      var evaluations: [[Metric]] = []
      _ = try run.train { if case .evaluated(_, let metrics) = $0 { evaluations.append(metrics) } }
      let values = evaluations.map { $0.map(\.value) }
      // A frozen output layer bounds how sure an adapter can be, not which token is the likeliest.
      let bound = kind == .none ? 0.5 : values[0][0] - 2
      #expect(values.count == 2 && values[0][0] > 4 && values[1][0] < bound, "\(values)")
      #expect(values[1][1] > 0.8 && values[1][2] < values[0][2])
      // What is left can be used, and stops by itself.
      let trained = try TrainedModel("\(folder)/run", precision: .float32)
      var generator = trained.generator(options: SamplingOptions(temperature: 0), cacheType: .float32)
      let answer = try generator.run(prompt: "7b:", maximumTokens: 12)[0]
      #expect(answer.text == "bb" && answer.reason == .endOfText, "\(answer)")
    }
  }

  @Test("a run that was stopped gives the same bits", arguments: AdapterKind.allCases)
  func resumes(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let model = try writeModel(in: folder)
      let data = try writeRows(repetitions, in: folder)
      let c = configuration {
        $0.tuning.adapter = kind
        $0.tuning.steps = 6
        $0.tuning.gradientAccumulation = 2
        $0.tuning.loraDropout = kind == .none ? 0 : 0.2
        $0.packing = false
      }
      let whole = try TrainingRun(SFT(model, data: data, c), at: "\(folder)/whole")
      let expected = try losses(whole)
      // The run's folder is free again when the first part is gone.
      let start = try losses(TrainingRun(SFT(model, data: data, c), at: "\(folder)/parts"), until: .at(3))
      let second = try SFT.resume("\(folder)/parts")
      #expect(start + (try losses(second)) == expected)
      #expect(trainedBits(second.trainer.tuned.model) == trainedBits(whole.trainer.tuned.model))
    }
  }

  /// One step of one row at a time, and rows packed together: both are the mean over all learned tokens.
  @Test("the loss is the mean over tokens, and packed examples do not see each other", arguments: [true, false])
  func meanOverTokens(packing: Bool) throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(repetitions, in: folder)
      let c = configuration {
        $0.packing = packing
        $0.tuning.heldOutFraction = 0
        $0.tuning.batchSize = packing ? 1000 : 1
        $0.tuning.gradientAccumulation = packing ? 1 : repetitions.count
        $0.tuning.steps = 1
      }
      let sft = try SFT(writeModel(in: folder), data: data, c)
      // Each example alone, by the formula, over the completion and the end of text.
      let model = sft.tuned.model
      var (sum, count) = (0.0, 0)
      for example in try Dataset.read(data.files) {
        guard case .completion(.plain(let prompt), .plain(let completion)) = example.content else { continue }
        let ids = (prompt + completion).utf8.map { Int32($0) } + [256]
        let hidden = withoutGradient { model(Tensor(Array(ids.dropLast()), [1, ids.count - 1])) }
        let logits = withoutGradient { model.logits(hidden) }.array().map { Double($0) }
        for place in prompt.utf8.count..<ids.count {
          let row = logits[(place - 1) * 257..<place * 257]
          let top = row.max()!
          let normalizer = top + log(row.reduce(0) { $0 + exp($1 - top) })
          sum += normalizer - row[row.startIndex + Int(ids[place])]
          count += 1
        }
      }
      let report = try sft.step()
      #expect(abs(report["loss"]! - sum / Double(count)) < 1e-4, "\(report["loss"]!) \(sum / Double(count))")
    }
  }

  @Test func badDataIsRefused() throws {
    try withTemporaryFolder { folder in
      let model = try writeModel(in: folder)
      func message(_ rows: [String], _ change: (inout SFT.Configuration) -> Void = { _ in }) throws -> String {
        let data = try writeRows(rows, in: folder)
        do {
          _ = try SFT(model, data: data, configuration(change))
          return "nothing"
        } catch { return "\(error)" }
      }
      #expect(try message([#"{"prompt": "only"}"#]).contains("rows.jsonl, line 1"))
      #expect(try message([#"{"messages": [{"role": "user", "content": "x"}]}"#]).contains("no chat template"))
      #expect(try message(repetitions) { $0.tuning.maximumLength = 65 }.contains("the model's context is 64"))
      #expect(try message(repetitions) { $0.tuning.loraTargets = ["nothing"] }.contains("no linear layer is named"))
    }
  }

  @Test("data that has changed is noticed") func changedData() throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(repetitions, in: folder)
      _ = try TrainingRun(
        SFT(writeModel(in: folder), data: data, configuration { $0.tuning.steps = 2 }), at: "\(folder)/run"
      ).train(until: .at(1))
      _ = try writeRows(Array(repetitions.dropLast()), in: folder)
      #expect(throws: AlignmentError.self) { _ = try SFT.resume("\(folder)/run") }
    }
  }

  /// What training starts from is the reference, whatever it is: not the bare base under an adapter.
  @Test("the reference of a run that starts from an adapter is that adapter", arguments: AdapterKind.allCases)
  func reference(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let data = try writeRows(repetitions, in: folder)
      let run = try TrainingRun(
        SFT(
          writeModel(in: folder), data: data,
          configuration { ($0.tuning.steps, $0.tuning.adapter) = (5, kind == .none ? .lora : kind) }),
        at: "\(folder)/sft")
      _ = try run.train()
      let tokens = Tensor("7b:bb".utf8.map { Int32($0) }, [1, 5])
      func output(_ model: TransformerLM) -> [Float] { withoutGradient { model.logits(model(tokens)).array() } }
      let adapted = output(run.trainer.tuned.model)
      run.trainer.tuned.model.useAdapter(nil)
      let bare = output(run.trainer.tuned.model)

      var random = RandomSource(seed: 2)
      let tuned = try TunedModel(
        .init("\(folder)/sft"), small { $0.adapter = kind }, keepsReference: true, random: &random)
      let start = output(tuned.model)
      func difference(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max()! }
      #expect(difference(start, adapted) < 1e-4 && difference(adapted, bare) > 0.01)
      #expect(tuned.reference(output) == start)
      // One step of training moves the policy, and the reference not by a bit.
      let (_, gradients) = valueAndGradient(of: tuned.model) { $0.logits($0(tokens)).square().sum() }
      AdamW(learningRate: constant(0.01)).update(tuned.model, with: gradients)
      #expect(tuned.reference(output) == start && difference(output(tuned.model), start) > 0.01)
    }
  }

  /// The base has none: rows and saved models depend on the one that the first run was given.
  @Test("a run's chat template is that of later stages and saved models", arguments: [AdapterKind.lora, .none])
  func keepsTheChatTemplate(_ kind: AdapterKind) throws {
    try withTemporaryFolder { folder in
      let model = try writeModel(in: folder)
      var chats = try writeRows(
        (0..<16).map {
          #"{"messages": [{"role": "user", "content": "\#($0)?"}, {"role": "assistant", "content": "yes"}]}"#
        }, in: folder)
      let c = configuration { ($0.tuning.adapter, $0.tuning.steps) = (kind, 2) }
      chats.template = Transcript.template
      _ = try TrainingRun(SFT(model, data: chats, c), at: "\(folder)/first").train()
      chats.template = nil
      _ = try TrainingRun(SFT("\(folder)/first", data: chats, c), at: "\(folder)/second").train()
      var reward = RewardModel.Configuration()
      reward.tuning = c.tuning
      let preferences = try writeRows(pairs, in: folder, name: "pairs.jsonl")
      _ = try TrainingRun(
        RewardModel("\(folder)/second", data: preferences, reward), at: "\(folder)/reward"
      ).train()

      var written = ["\(folder)/reward/model"]
      if kind == .none {
        written.append("\(folder)/second/model")
      } else {
        _ = try TrainedModel(model).merge("\(folder)/second", to: "\(folder)/merged")
        written.append("\(folder)/merged")
      }
      for path in written {
        #expect(try PretrainedTokenizer.load(path).chatTemplates == ["default": Transcript.template], "\(path)")
      }
      #expect(try TrainedModel("\(folder)/second").text.chatTemplates == ["default": Transcript.template])
    }
  }

  /// The adapter was trained on the numbers that the base's blocks represent: merged onto those it computes the same, and
  /// merged onto the numbers before quantization it does not.
  @Test("merging goes onto the base as it was trained on", arguments: [BaseQuantization.nf4, .q8_0])
  func mergesOntoTheQuantizedBase(_ quantization: BaseQuantization) throws {
    try withTemporaryFolder { folder in
      let (model, data) = (try writeModel(in: folder, width: 64), try writeRows(repetitions, in: folder))
      let run = "\(folder)/run"
      let c = configuration { ($0.tuning.quantization, $0.tuning.steps) = (quantization, 5) }
      _ = try TrainingRun(SFT(model, data: data, c), at: run).train()
      let tokens = Tensor("7b:bb".utf8.map { Int32($0) }, [1, 5])
      func logits(_ path: String) throws -> [Float] {
        let model = try TrainedModel(path, precision: .float32).model
        return withoutGradient { model.logits(model(tokens)).array() }
      }
      func merged(_ quantization: BaseQuantization, _ name: String) throws -> [Float] {
        let base = try TrainedModel(model, precision: .float32)
        try base.model.quantizeLayers(quantization)
        _ = try base.merge(run, to: "\(folder)/\(name)")
        return try logits("\(folder)/\(name)")
      }
      func difference(_ a: [Float], _ b: [Float]) -> Float { zip(a, b).map { abs($0 - $1) }.max()! }
      let used = try logits(run)
      #expect(try AdapterRun(run)?.quantization == quantization)
      #expect(difference(try merged(quantization, "right"), used) < 1e-4)
      #expect(difference(try merged(.none, "wrong"), used) > 1e-3)
    }
  }
}
