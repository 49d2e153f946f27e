import Foundation
import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining
import Testing

/// A trainer that fits a line y = 3x - 1 to random points: all that a run needs, and nothing else.
final class LineTrainer: Trainer {
  struct Setup: Codable, Sendable {
    var steps = 12
    var seed: UInt64 = 1
  }
  private struct State: Codable {
    var done = 0
    var optimizerStep = 0
    var random: RandomSource
  }
  final class Line: Module {
    @Parameter var slope: Tensor = .zeros([])
    @Parameter var offset: Tensor = .zeros([])
  }

  static let command = "line"
  static let keepsStateOnError = true
  let setup: Setup
  let line = Line()
  var beforeStep: (Int) throws -> Void = { _ in }
  /// Why steps say that they were skipped.
  var skipReason: String?
  /// What happens in place of the page.
  var reportError: (any Error)?
  var cadence = RunCadence(evaluateEvery: 4, sampleEvery: 6, checkpointEvery: 2)
  private var optimization = OptimizationStep(AdamW(learningRate: constant(0.1)), clip: 1)
  private var state: State

  init(_ setup: Setup) {
    self.setup = setup
    state = State(random: RandomSource(seed: setup.seed))
  }

  var progress: RunProgress { RunProgress(done: state.done, of: setup.steps) }

  func step() throws -> StepReport {
    try beforeStep(state.done)
    let x = state.random.normal([16])
    let outcome = try optimization.take(
      on: line, [MicroBatch(weight: 16) { $0.error(x) }])
    state.done += 1
    return StepReport(
      [Metric("loss", outcome.loss)], figures: [Figure("loss", outcome.loss)], skipped: skipReason)
  }

  func evaluate(isFinal: Bool) throws -> [Metric] {
    [Metric("validation_loss", Double(line.error(Tensor([-1, 0, 1])).item())), Metric("final", isFinal ? 1 : 0)]
  }
  func sample() throws -> RunSample? { RunSample(text: "slope \(line.slope.item())") }

  var summary: RunSummary { RunSummary(model: "a line", data: "points", parameterCount: 2) }
  func writeReport(in run: RunFolder) throws {
    if let reportError { throw reportError }
    try AtomicFile.write("<p>slope \(line.slope.item())</p>", to: run.reportPath)
  }

  func save(to folder: String) throws {
    if line.firstNonFinite != nil { throw Diverged(reason: "the weights are not finite") }
    state.optimizerStep = optimization.optimizer.step
    var tensors = optimization.optimizer.state
    for parameter in line.parameters() { tensors[parameter.name] = parameter.value }
    try SafetensorsFile.write(tensors, to: "\(folder)/line.safetensors")
    try writeJSON(state, to: "\(folder)/state.json")
  }

  func restore(from checkpoint: Checkpoint) throws {
    state = try readJSON(checkpoint.file("state.json"), as: State.self)
    let tensors = try SafetensorsFile(path: checkpoint.file("line.safetensors")).tensors()
    try line.load(tensors.filter { !$0.key.contains("exp_avg") })
    try optimization.optimizer.restore(tensors, step: state.optimizerStep, for: line)
  }
}

extension LineTrainer.Line {
  func error(_ x: Tensor) -> Tensor { (x * slope + offset - (x * Tensor(3) - Tensor(1))).square().mean() }
}

@Suite struct TrainingRunTests {
  /// The metrics say why a step was skipped; the summary is there, and a run of an earlier version has none.
  @Test func writesReasonsAndASummary() throws {
    try withTemporaryFolder { folder in
      let trainer = LineTrainer(.init(steps: 2))
      trainer.skipReason = "a \"spike\""
      let run = try TrainingRun(trainer, at: "\(folder)/run")
      #expect(RunSummary(of: run.folder) == nil)
      _ = try run.train()
      let lines = try readText(run.folder.metricsPath).split(separator: "\n")
      #expect(lines.count { $0.contains(#""skip_reason":"a \"spike\"""#) } == 2)
      #expect(RunSummary(of: run.folder) == RunSummary(model: "a line", data: "points", parameterCount: 2))
      try overwrite("\(folder)/run/summary.json", Array("{\"parameterCount\": \"many\"}".utf8))
      #expect(RunSummary(of: run.folder) == nil)
    }
  }

  /// The model is saved by then.
  @Test func aReportThatCannotBeMadeIsAWarning() throws {
    try withTemporaryFolder { folder in
      let trainer = LineTrainer(.init(steps: 2))
      trainer.reportError = FileError(path: "page", operation: "write", code: ENOSPC)
      var warnings: [String] = []
      let outcome = try TrainingRun(trainer, at: "\(folder)/run").train {
        if case .warning(let text) = $0 { warnings.append(text) }
      }
      #expect(
        outcome == .finished && warnings.count == 1 && warnings[0].hasPrefix("no report was written: cannot write page")
      )
      #expect(try CheckpointStore.newestValid(in: "\(folder)/run/checkpoints").checkpoint?.step == 2)
    }
  }

  private func curve(_ path: String) throws -> [String] {
    try MetricsRecord.readAll(folder: path).map { record in
      "\(record.step) \(record.values.filter { !["seconds", "memory_bytes"].contains($0.name) })"
    }
  }

  @Test func looksSavesAndEnds() throws {
    try withTemporaryFolder { folder in
      var events: [RunEvent] = []
      let run = try TrainingRun(LineTrainer(.init()), at: "\(folder)/run")
      #expect(try run.train { events.append($0) } == .finished)
      #expect(events.compactMap { if case .evaluated(let step, _) = $0 { step } else { nil } } == [0, 4, 8, 12])
      #expect(events.compactMap { if case .sample(let step, _) = $0 { step } else { nil } } == [0, 6, 12])
      #expect(events.compactMap { if case .saved(let step) = $0 { step } else { nil } } == [2, 4, 6, 8, 10, 12])
      let finals = try MetricsRecord.readAll(folder: "\(folder)/run").compactMap { $0["final"] }
      #expect(finals == [0, 0, 0, 1])
      let losses = try MetricsRecord.readAll(folder: "\(folder)/run").compactMap { $0["validation_loss"] }
      #expect(losses.last! < 0.7 * losses.first!)
      #expect(pathExists("\(folder)/run/report.html") && pathExists("\(folder)/run/samples/step-00000006.txt"))
    }
  }

  @Test func aResumedRunHasTheSameBits() throws {
    try withTemporaryFolder { folder in
      _ = try TrainingRun(LineTrainer(.init()), at: "\(folder)/whole").train()
      let path = "\(folder)/parts"
      for stop in [3, 7, nil] {
        let run = try TrainingRun<LineTrainer>(at: path) { LineTrainer($0 ?? .init()) }
        #expect(try run.train(until: .at(stop)) == (stop.map { .stopped(step: $0) } ?? .finished))
      }
      #expect(try curve(path) == curve("\(folder)/whole"))
      for file in ["line.safetensors", "state.json"] {
        let name = "checkpoints/step-00000012/\(file)"
        #expect(try readText("\(path)/\(name)") == readText("\(folder)/whole/\(name)"), "\(file)")
      }
      // The seconds before and after the stop add up.
      let seconds = try MetricsRecord.readAll(folder: path).compactMap { $0["seconds"] }
      #expect(seconds == seconds.sorted())
    }
  }

  @Test func otherRunsAreRefused() throws {
    try withTemporaryFolder { folder in
      do { _ = try RunFolder.create(at: "\(folder)/other", command: "dpo", configuration: ["beta": 1]) }
      #expect(
        throws: TrainingError.otherCommand(path: "\(folder)/other", command: "dpo", expected: "line")
      ) { try TrainingRun<LineTrainer>(resuming: "\(folder)/other") { setup, _ in LineTrainer(setup) } }
    }
  }

  /// Weights that are not finite end the run with the step and the reason, and no checkpoint holds them.
  @Test func divergenceIsNotSaved() throws {
    try withTemporaryFolder { folder in
      let trainer = LineTrainer(.init())
      trainer.beforeStep = { step in
        if step == 5 { trainer.line.parameters()[0].value = Tensor(.nan) }
      }
      let run = try TrainingRun(trainer, at: "\(folder)/run")
      let error = #expect(throws: TrainingError.self) { try run.train() }
      #expect("\(try #require(error))".contains("diverged at step 5: the loss is nan"), "\(String(describing: error))")
      #expect(try CheckpointStore.newestValid(in: "\(folder)/run/checkpoints").checkpoint?.step == 4)
    }
  }

  /// The steps before another error are saved, and a resumed run repeats the one that failed.
  @Test func stepsBeforeAnErrorAreSaved() throws {
    try withTemporaryFolder { folder in
      struct Failure: Error {}
      _ = try TrainingRun(LineTrainer(.init()), at: "\(folder)/whole").train()
      let path = "\(folder)/parts"
      // The run lets go of its folder at the end of the function.
      func fail() throws {
        let trainer = LineTrainer(.init())
        trainer.cadence = RunCadence()
        trainer.beforeStep = { if $0 == 5 { throw Failure() } }
        let run = try TrainingRun(trainer, at: path)
        var saved: [Int] = []
        #expect(throws: Failure.self) { try run.train { if case .saved(let step) = $0 { saved.append(step) } } }
        #expect(saved == [5])
      }
      try fail()
      #expect(try TrainingRun<LineTrainer>(at: path) { LineTrainer($0 ?? .init()) }.train() == .finished)
      let name = "checkpoints/step-00000012/line.safetensors"
      #expect(try readText("\(path)/\(name)") == readText("\(folder)/whole/\(name)"))
    }
  }

  /// An error before the first step, or right after a checkpoint, saves nothing.
  @Test func errorsWithoutNewStepsSaveNothing() throws {
    struct Failure: Error {}
    for (step, expected) in [(0, []), (4, [2, 4])] as [(Int, [Int])] {
      try withTemporaryFolder { folder in
        let trainer = LineTrainer(.init())
        trainer.beforeStep = { if $0 == step { throw Failure() } }
        var saved: [Int] = []
        let run = try TrainingRun(trainer, at: "\(folder)/run")
        #expect(throws: Failure.self) { try run.train { if case .saved(let step) = $0 { saved.append(step) } } }
        #expect(saved == expected)
      }
    }
  }

  /// A finished run that is resumed takes no step: its last checkpoint stays as it is, with its metric.
  @Test func aFinishedRunIsNotSavedAgain() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/run"
      _ = try TrainingRun(LineTrainer(.init()), at: path).train()
      let metric = try #require(CheckpointStore.newestValid(in: "\(path)/checkpoints").checkpoint?.metric)
      var saved: [Int] = []
      let resumed = try TrainingRun<LineTrainer>(at: path) { LineTrainer($0 ?? .init()) }
      #expect(try resumed.train { if case .saved(let step) = $0 { saved.append(step) } } == .finished)
      #expect(saved.isEmpty)
      #expect(try CheckpointStore.newestValid(in: "\(path)/checkpoints").checkpoint?.metric == metric)
    }
  }

  /// Two runs at the same time in one process: one is stopped, the other does not notice.
  @Test func runsDoNotKnowOfEachOther() async throws {
    let folder = NSTemporaryDirectory() + "nabla-runs-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (stop, started) = (StopRequest(), StopRequest())
    @Sendable func train(_ name: String, steps: Int, until condition: StopCondition, _ began: StopRequest?) throws
      -> RunOutcome
    {
      let trainer = LineTrainer(.init(steps: steps))
      trainer.cadence = RunCadence()
      trainer.beforeStep = { if $0 == 3 { began?.stop() } }
      return try TrainingRun(trainer, at: "\(folder)/\(name)").train(until: condition)
    }
    async let endless = train("endless", steps: 1 << 30, until: .when { stop.isRequested }, started)
    async let short = train("short", steps: 40, until: .when { false }, nil)
    while !started.isRequested { try await Task.sleep(for: .milliseconds(1)) }
    #expect(try await short == .finished)
    stop.stop()
    guard case .stopped(let step) = try await endless else {
      Issue.record("the endless run ended")
      return
    }
    #expect(step > 3)
    _ = try TrainingRun(LineTrainer(.init(steps: 40)), at: "\(folder)/alone").train()
    #expect(
      try readText("\(folder)/short/checkpoints/step-00000040/line.safetensors")
        == readText("\(folder)/alone/checkpoints/step-00000040/line.safetensors"))
  }
}
