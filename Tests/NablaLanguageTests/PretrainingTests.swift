import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining
import Testing

@Suite struct PretrainingTests {
  private let corpus = (0..<120).map { "line \($0): \($0 * $0 % 97) and \($0 * 7 % 31) make a text.\n" }.joined()

  /// A run to be, and how to make it.
  struct Plan: Sendable, CustomTestStringConvertible {
    let name: String
    var model: TransformerConfiguration
    var training: PretrainingConfiguration
    var tokenizer = TokenizerKind.byte
    var testDescription: String { name }

    init(_ name: String, _ change: (inout Plan) -> Void = { _ in }) {
      self.name = name
      model = configuration(vocabulary: 300)
      training = PretrainingConfiguration()
      training.batchSize = 2
      training.steps = 8
      training.warmup = 2
      training.learningRate = 1e-2
      training.finalLearningRate = 1e-3
      (training.evaluateEvery, training.evaluationBatches) = (3, 2)
      (training.sampleEvery, training.sampleLength) = (5, 12)
      training.checkpointEvery = 2
      training.precision = .float32
      change(&self)
    }

    func start(_ folder: String) throws -> TrainingRun<Pretraining> {
      let preset = Preset(name: "test", tokenizer: tokenizer, model: model, training: training)
      return try TrainingRun(
        Pretraining(paths: ["\(folder)/corpus.txt"], preset), at: "\(folder)/\(UUID().uuidString)")
    }
  }

  private func withCorpus(_ body: (_ folder: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write(corpus, to: "\(folder)/corpus.txt")
      try body(folder)
    }
  }

  /// Trains from the start, as far as `stop`, and returns the run's folder.
  private func train(_ plan: Plan, in folder: String, until stop: Int? = nil) throws -> String {
    let run = try plan.start(folder)
    let outcome = try run.train(until: .at(stop))
    #expect(outcome == (stop.map { .stopped(step: $0) } ?? .finished))
    return run.folder.path
  }

  private func resume(_ run: String, until stop: Int? = nil) throws {
    let outcome = try Pretraining.resume(run).train(until: .at(stop))
    #expect(outcome == (stop.map { .stopped(step: $0) } ?? .finished))
  }

  private func data(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  /// What training did, without the times it took.
  private func record(_ run: String) throws -> [String] {
    try MetricsRecord.readAll(folder: run).map { record in
      let values = record.values.filter {
        !["tokens_per_second", "tflops", "memory_bytes", "seconds"].contains($0.name)
      }
      return "\(record.step): \(values.map { "\($0.name)=\($0.value)" })"
    }
  }

  /// Everything of the two runs that should have the same bits.
  private func expectEqualRuns(_ a: String, _ b: String) throws {
    let last = try #require(CheckpointStore.steps(in: "\(a)/checkpoints").last)
    let checkpoint = "checkpoints/step-\(String(format: "%08d", last))"
    var files = ["model/model.safetensors", "model/config.json", "model/tokenizer.json"]
    files += ["model.safetensors", "optimizer.safetensors"].map { "\(checkpoint)/\($0)" }
    for file in files { #expect(try data("\(a)/\(file)") == data("\(b)/\(file)"), "\(file)") }
    #expect(try record(a).count == record(b).count)
    for (x, y) in zip(try record(a), try record(b)) where x != y {
      Issue.record("the first step that differs: \(x) and \(y)")
      break
    }
    let samples = try FileManager.default.contentsOfDirectory(atPath: "\(a)/samples").sorted()
    #expect(samples == (try FileManager.default.contentsOfDirectory(atPath: "\(b)/samples").sorted()))
    #expect(samples.count >= 3)
    for file in samples { #expect(try data("\(a)/samples/\(file)") == data("\(b)/samples/\(file)"), "\(file)") }
  }

  // MARK: Exact resume

  static let plans = [
    Plan("plain"),
    Plan("dropout") { $0.model.dropout = 0.2 },
    Plan("GPT-2 without biases, with dropout, characters") {
      gpt2Shaped(&$0.model)
      ($0.model.dropout, $0.tokenizer) = (0.2, .char)
    },
    Plan("GPT-2, untied, byte pairs") {
      gpt2Shaped(&$0.model)
      ($0.model.bias, $0.model.tieEmbeddings, $0.tokenizer) = (true, false, .bpe)
    },
    Plan("the original block with dropout") {
      gpt2Shaped(&$0.model)
      ($0.model.feedForward, $0.model.normPlacement, $0.model.bias, $0.model.dropout) = (.relu, .post, true, 0.1)
    },
    Plan("moving average") { $0.training.ema = 0.9 },
    Plan("gradient accumulation with dropout") { ($0.training.gradientAccumulation, $0.model.dropout) = (3, 0.2) },
    Plan("Muon") { $0.training.optimizer = .muon },
    Plan("epochs") {
      $0.model.context = 64
      ($0.training.epochs, $0.training.batchSize, $0.training.gradientAccumulation) = (2, 6, 3)
    },
    Plan("activation checkpointing, label smoothing, z-loss") {
      ($0.training.activationCheckpointing, $0.model.dropout) = (true, 0.2)
      ($0.training.labelSmoothing, $0.training.zLoss) = (0.1, 1e-3)
    },
    Plan("bfloat16 with dropout") { ($0.training.precision, $0.model.dropout) = (.bfloat16, 0.2) },
    Plan("the largest seed") { $0.training.seed = UInt64(Int.max) },
  ]

  /// In one go, and in three parts: the same weights, moments, losses and samples, to the bit.
  @Test(arguments: plans) func resumesExactly(_ plan: Plan) throws {
    try withCorpus { folder in
      let whole = try train(plan, in: folder)
      let parts = try train(plan, in: folder, until: 3)
      try resume(parts, until: 4)
      try resume(parts)
      try expectEqualRuns(whole, parts)
    }
  }

  /// A finished run that trains further: in one go or in parts, the same bits.
  @Test func extendsExactly() throws {
    try withCorpus { folder in
      let (whole, parts) = (try train(Plan("plain"), in: folder), try train(Plan("plain"), in: folder))
      #expect(try Pretraining.resume(whole, steps: 14).train() == .finished)
      #expect(try Pretraining.resume(parts, steps: 14).train(until: .at(11)) == .stopped(step: 11))
      // The same command again goes on; fewer steps than the run has are a mistake.
      #expect(throws: ConfigurationError.self) { try Pretraining.resume(parts, steps: 13) }
      #expect(try Pretraining.resume(parts, steps: 14).train() == .finished)
      try expectEqualRuns(whole, parts)
      #expect(try data("\(whole)/model/best.json") == data("\(parts)/model/best.json"))
    }
  }

  /// While an extended run goes on, its newest model is used, not that of its earlier end, unless that one was better.
  @Test func anExtendedRunIsUsedAsItIs() throws {
    try withCorpus { folder in
      func used(_ run: String) throws -> String { String(try TrainedModel(run).path.dropFirst(run.count + 1)) }
      let run = try train(Plan("without validation") { $0.training.validationFraction = 0 }, in: folder)
      #expect(try used(run) == "model")
      #expect(try Pretraining.resume(run, steps: 14).train(until: .at(11)) == .stopped(step: 11))
      #expect(try used(run) == "checkpoints/step-00000011")
      try resume(run)
      #expect(try used(run) == "model")

      // A validation loss that no later model reaches, and one that each does.
      for (value, expected) in [(0, "model"), (1e9, "checkpoints/step-00000011")] as [(Double, String)] {
        let judged = try train(Plan("judged at its end and after step 9") { $0.training.evaluateEvery = 9 }, in: folder)
        try writeJSON(BestModel(step: 8, value: value), to: "\(judged)/model/best.json")
        #expect(try Pretraining.resume(judged, steps: 14).train(until: .at(11)) == .stopped(step: 11))
        #expect(try used(judged) == expected)
        // Also after a crash, which forgets what the session knew.
        _ = try Pretraining.resume(judged)
        #expect(try used(judged) == expected)
        try resume(judged)
        #expect(try used(judged) == "model")
      }
    }
  }

  /// A text folder may hold the run: its files are not part of the text, which would change under it.
  @Test func aRunInTheFolderOfItsTextResumes() throws {
    try withCorpus { folder in
      let plan = Plan("plain")
      func trainer() throws -> Pretraining {
        try Pretraining(
          paths: [folder], Preset(name: "test", tokenizer: .byte, model: plan.model, training: plan.training))
      }
      let (text, path) = (try trainer().trainingTokens, "\(folder)/runs/first")
      #expect(try TrainingRun(trainer(), at: path).train(until: .at(3)) == .stopped(step: 3))
      try resume(path)
      #expect(try trainer().trainingTokens == text)
    }
  }

  /// Random initial weights soon do not count: after eight steps, a fixed decay of 0.999 would leave 99 % of them.
  @Test func theMovingAverageIsNearTheTrainedWeights() throws {
    try withCorpus { folder in
      let plan = Plan("moving average") { $0.training.ema = 0.999 }
      let initial = try plan.start(folder).trainer.model.parameters()
      let run = try plan.start(folder)
      #expect(try run.train() == .finished)
      let average = try SafetensorsFile(path: "\(run.folder.path)/checkpoints/step-00000008/ema.safetensors").tensors()
      func distance(_ parameters: [NamedParameter], _ other: (NamedParameter) throws -> Tensor) throws -> Double {
        var squares = 0.0
        for parameter in parameters {
          let difference = parameter.value - (try other(parameter))
          squares += Double(difference.square().sum().item())
        }
        return squares.squareRoot()
      }
      let trained = run.trainer.model.parameters()
      let ofAverage = try distance(trained) { parameter in try #require(average[parameter.name]) }
      let start = Dictionary(uniqueKeysWithValues: initial.map { ($0.name, $0.value) })
      let ofStart = try distance(trained) { parameter in try #require(start[parameter.name]) }
      #expect(ofStart > 0.1 && ofAverage > 0 && ofAverage < 0.5 * ofStart, "\(ofAverage) of \(ofStart)")
    }
  }

  @Test func theWarmupOfEpochsIsATenthOfThemUnlessItIsGiven() throws {
    try withCorpus { folder in
      let given = [
        "epochs": "1", "tokenizer": "byte", "layers": "1", "width": "16", "heads": "2", "context": "16",
        "batch-size": "2", "precision": "float32",
      ]
      func trainer(_ more: [String: String] = [:]) throws -> Pretraining {
        try Pretraining(paths: ["\(folder)/corpus.txt"], Preset.named("tiny").changed(given.merging(more) { $1 }))
      }
      let short = try trainer()
      let warmup = short.progress.total / 10
      #expect(warmup > 1 && warmup < 50 && short.setup.training.warmup == warmup)
      let rate = try #require(short.step()["learning_rate"])
      #expect(abs(rate * Double(warmup) / 2e-3 - 1) < 1e-5)
      #expect(try trainer(["warmup": "60"]).setup.training.warmup == 60)
      // As many as the preset has, where a tenth is more.
      #expect(try trainer(["epochs": "20"]).setup.training.warmup == 50)
    }
  }

  /// Dropout does drop: otherwise resuming without it would not show.
  @Test func dropoutChangesTraining() throws {
    try withCorpus { folder in
      let (a, b) = (
        try train(Plan("plain"), in: folder), try train(Plan("dropout") { $0.model.dropout = 0.2 }, in: folder)
      )
      #expect(try record(a) != record(b))
    }
  }

  @Test func fallsBackToAnEarlierCheckpoint() throws {
    try withCorpus { folder in
      let whole = try train(Plan("plain"), in: folder)
      let run = try train(Plan("plain"), in: folder, until: 5)
      #expect(try CheckpointStore.steps(in: "\(run)/checkpoints") == [4, 5])
      let path = "\(run)/checkpoints/step-00000005/model.safetensors"
      var bytes = try data(path)
      bytes[bytes.count - 3] ^= 1
      try bytes.write(to: URL(fileURLWithPath: path))
      var messages: [String] = []
      do {
        let resumed = try Pretraining.resume(run) { if case .warning(let text) = $0 { messages.append(text) } }
        #expect(resumed.trainer.progress.done == 4)
        #expect(try CheckpointStore.steps(in: "\(run)/checkpoints") == [4], "the damaged one is gone")
        #expect(try resumed.train() == .finished)
      }
      #expect(messages.contains { $0.contains("step-00000005") && $0.contains("earlier") })
      try expectEqualRuns(whole, run)
    }
  }

  @Test func withoutAGoodCheckpointItSaysSo() throws {
    try withCorpus { folder in
      let run = try train(Plan("plain"), in: folder, until: 1)
      try data("\(folder)/corpus.txt").write(
        to: URL(fileURLWithPath: "\(run)/checkpoints/step-00000001/model.safetensors"))
      #expect(throws: TrainingError.noCheckpoint(path: run)) { try Pretraining.resume(run) }
    }
  }

  @Test func refusesOtherData() throws {
    try withCorpus { folder in
      let run = try train(Plan("plain"), in: folder, until: 2)
      // A corpus that only moved is the same, and from then on is where it moved to.
      try AtomicFile.write(corpus, to: "\(folder)/moved.txt")
      #expect(try Pretraining.resume(run, paths: ["\(folder)/moved.txt"]).trainer.progress.done == 2)
      try AtomicFile.write(corpus + "one more line", to: "\(folder)/moved.txt")
      let error = #expect(throws: PretrainingError.self) { try Pretraining.resume(run) }
      let message = "\(try #require(error))"
      #expect(message.contains("\(folder)/moved.txt") && message.contains("allow-other-data"))
      #expect(try Pretraining.resume(run, allowsOtherData: true).trainer.progress.done == 2)
    }
  }

  @Test func refusesWhatIsNoRunOfItsOwn() throws {
    try withCorpus { folder in
      #expect(throws: RunFolderError.self) { try Pretraining.resume("\(folder)/nothing") }
      do { _ = try RunFolder.create(at: "\(folder)/other", command: "dpo", configuration: ["beta": 1]) }
      let error = #expect(throws: TrainingError.self) { try Pretraining.resume("\(folder)/other") }
      #expect("\(try #require(error))".contains("nabla dpo"))
    }
  }

  @Test func refusesASeedThatCannotBeKept() {
    var training = PretrainingConfiguration()
    training.seed = UInt64(Int.max) + 1
    #expect(throws: ConfigurationError.self) { try training.validate() }
  }

  // MARK: Divergence

  /// A weight that is not finite ends the training: the error names it, and no checkpoint holds it.
  @Test(arguments: [0, 1, 2]) func poisonedWeightStopsTraining(_ checkpointEvery: Int) throws {
    try withCorpus { folder in
      let plan = Plan("poison") { ($0.training.steps, $0.training.checkpointEvery) = (30, checkpointEvery) }
      let path: String
      do {
        let run = try plan.start(folder)
        path = run.folder.path
        #expect(try run.train(until: .at(3)) == .stopped(step: 3))
        let name = "model.layers.1.mlp.up_proj.weight"
        let parameter = try #require(run.trainer.model.parameters().first { $0.name == name })
        var values = parameter.value.array()
        values[7] = .nan
        parameter.value = Tensor(values, parameter.value.shape)
        let error = #expect(throws: TrainingError.self) { try run.train() }
        guard case .diverged(let step, let reason, let folder)? = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect((3...8).contains(step) && folder == path && reason.contains(name))
      }
      let (checkpoint, rejected) = try CheckpointStore.newestValid(in: "\(path)/checkpoints")
      #expect(rejected.isEmpty && checkpoint?.step == 3)
      let model = try ModelFolder.load(try #require(checkpoint).path)
      #expect(model.parameters().allSatisfy { $0.value.array().allSatisfy(\.isFinite) })
      // And training goes on from there.
      try resume(path, until: 4)
    }
  }

  // MARK: What a run leaves

  @Test func aRunIsComplete() throws {
    try withCorpus { folder in
      let run = try train(Plan("moving average") { $0.training.ema = 0.5 }, in: folder)
      for file in ["config.json", "metrics.jsonl", "report.html", "model/model.safetensors", "model/tokenizer.json"] {
        #expect(FileManager.default.fileExists(atPath: "\(run)/\(file)"), "\(file)")
      }
      let trained = try TrainedModel(run, precision: .float32)
      let (model, tokenizer) = (trained.model, trained.tokenizer)
      #expect(tokenizer.vocabularySize == model.configuration.vocabularySize)
      let losses = try MetricsRecord.readAll(folder: run).compactMap { $0["loss"] }
      #expect(losses.count == 8 && losses.last! < losses.first!)
      // The finished model is the average, the checkpoint the last weights.
      let checkpoint = try ModelFolder.load("\(run)/checkpoints/step-00000008")
      #expect(bits(checkpoint) != bits(model))
      let average = try SafetensorsFile(path: "\(run)/checkpoints/step-00000008/ema.safetensors").tensors()
      for parameter in model.parameters() { #expect(average[parameter.name]?.array() == parameter.value.array()) }
    }
  }

  /// The panels of the report, against what they should be by count.
  @Test func aRunKnowsItsCost() throws {
    try withCorpus { folder in
      let run = try train(Plan("plain"), in: folder)
      let cost = try #require(try JSONValue(contentsOfFile: "\(run)/analysis.json")["cost"])
      let model = try TrainedModel(run, precision: .float32).model
      let c = model.configuration
      #expect(
        cost["parameters"]?.integer == model.parameterCount
          && cost["parameterBytes"]?.integer == 4 * model.parameterCount)
      #expect(
        cost["window"]?.integer == c.context && cost["streamBytes"]?.integer == 4 * c.layerCount * c.context * c.width)
      // A backward pass needs more than the stream: at least queries, keys and values and the feed-forward's inside too.
      let inside = 4 * c.layerCount * c.context * (3 * c.width + c.feedForwardWidth)
      // Other tests of this process free memory meanwhile: then it is measured again.
      var measured = try #require(cost["activationBytes"]?.integer)
      for _ in 0..<10 where measured <= inside { measured = ModelCost(measuring: model).activationBytes }
      #expect(measured > inside)
      #expect(cost["attentionOperations"]?.double == Double(2 * c.headCount * c.headSize))
      let times = try #require(cost["times"]?.array)
      #expect(times.map { $0["tokens"]?.integer } == times.indices.map { 64 << $0 })
      #expect(times.allSatisfy { ($0["attention"]?.double ?? 0) > 0 && ($0["feedForward"]?.double ?? 0) > 0 })
      let page = String(decoding: try MappedFile(path: "\(run)/report.html").withBytes { Array($0) }, as: UTF8.self)
      for id in ["chart-heads", "chart-entropy", "chart-sparsity", "chart-temperature", "chart-cost"] {
        #expect(page.contains("id=\"\(id)\""), "\(id)")
      }
    }
  }

  @Test func aShortCorpusIsRefused() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write("too short", to: "\(folder)/corpus.txt")
      #expect(throws: (any Error).self) { try Plan("plain").start(folder) }
    }
  }
}
