import Foundation
import NablaFormats
import NablaTensor
import Testing

import NablaScaling
import NablaTraining

@Suite struct SweepTests {
  private let rule = LearningRateRule(learningRate: 2e-3, width: 128)

  private func plan(_ compute: Double) throws(PlanError) -> SweepPlan {
    try SweepPlan(compute: compute, law: Chinchilla.besiroglu, rule: rule, vocabularySize: 256, context: 128)
  }

  @Test func spendsItsComputeOnAGridAndATest() throws {
    let plan = try plan(3e16)
    #expect(plan.runs.count == 20 && abs(plan.compute / 3e16 - 1) < 1e-9)
    let budgets = Set(plan.runs.map { ($0.compute / 1e9).rounded() }).sorted()
    #expect(budgets.count == 4 && zip(budgets, budgets.dropFirst()).allSatisfy { abs($1 / $0 - 2.5) < 1e-3 })
    #expect(abs(plan.test.compute / plan.runs.map(\.compute).max()! - 6) < 1e-6)
    // Each budget holds different sizes, smaller and larger than the law's optimum.
    for start in stride(from: 0, to: 20, by: 5) {
      let sizes = plan.runs[start..<start + 5].map { Double($0.shape.parameterCount) }
      let optimum = Chinchilla.besiroglu.optimalAllocation(compute: plan.runs[start].compute).parameters
      #expect(zip(sizes, sizes.dropFirst()).allSatisfy(<) && sizes[0] < optimum && sizes[4] > optimum)
    }
    #expect(plan.runs.allSatisfy { $0.shape.nonEmbeddingCount < $0.shape.parameterCount })
  }

  /// Where the optimum is smaller than any transformer, the sizes begin with the smallest there is.
  @Test func littleComputeTrainsTheSmallestModels() throws {
    let plan = try plan(1e9)
    let sizes = plan.runs[0..<5].map(\.shape.parameterCount)
    #expect(plan.runs[0].shape.width == 16 && plan.runs[0].shape.layerCount == 1)
    #expect(zip(sizes, sizes.dropFirst()).allSatisfy(<) && abs(plan.compute / 1e9 - 1) < 1e-9)
  }

  /// The rate falls as the width grows: the same change of a layer's output, shown by a product that Adam's first step
  /// (each weight by ± the rate) moves by the same amount in every width.
  @Test(arguments: [64, 128, 512, 2_048])
  func learningRateKeepsTheChangeOfAnOutput(width: Int) {
    #expect(rule(width: 128) == 2e-3)
    // All gradients of a unit's weights have the sign of their inputs: Σ |x| · rate, for inputs of size 1.
    let change = (0..<width).reduce(0.0) { sum, i in
      sum + (i % 2 == 0 ? 1 : -1) * rule(width: width) * (i % 2 == 0 ? 1 : -1)
    }
    #expect(abs(change - 128 * 2e-3) < 1e-12)
  }

  /// A law fitted to the grid predicts the test: with noise of half a percent, inside its interval in most draws.
  @Test func predictionOfTheTest() throws {
    let (plan, law) = (try plan(3e18), Chinchilla.besiroglu)
    var random = RandomSource(seed: 5)
    func point(_ run: SweepPlan.Run) -> ScalingPoint {
      let n = Double(run.shape.parameterCount)
      return ScalingPoint(
        parameters: n, tokens: run.tokens,
        loss: law.loss(parameters: n, tokens: run.tokens) * exp(0.005 * random.gaussian()))
    }
    var inside = 0
    for _ in 0..<20 {
      let fit = try ChinchillaFit(plan.runs.map(point), from: StartGrid(law))
      let test = point(plan.test)
      let prediction = SweepPrediction(
        fit, fit.bootstrap(samples: 200), parameters: test.parameters, tokens: test.tokens)
      let outcome = SweepOutcome(prediction, loss: test.loss)
      #expect(abs(prediction.leap - 6) < 1e-6 && abs(outcome.error) < 0.05)
      #expect(outcome.isInside == (outcome.miss == 0))
      if outcome.isInside { inside += 1 }
    }
    #expect(inside >= 15, "\(inside) of 20")
  }

  // MARK: Budgets

  /// Straight in logarithms between measurements, level below, in proportion above.
  @Test func speedBetweenMeasurements() {
    let speed = TrainingSpeed([
      .init(parameters: 4e4, secondsPerToken: 4e-6), .init(parameters: 1e4, secondsPerToken: 2e-6),
    ])
    #expect(abs(speed.secondsPerToken(parameters: 2e4) / (2e-6 * 2.0.squareRoot()) - 1) < 1e-12)
    #expect(
      speed.secondsPerToken(parameters: 1e3) == 2e-6 && abs(speed.secondsPerToken(parameters: 8e4) - 8e-6) < 1e-18)
  }

  @Test func givenShapesAreTrainedWithEachBudget() throws {
    let shapes = [32, 48, 64, 96].map {
      TransformerShape(
        vocabularySize: 256, context: 128, width: $0, layerCount: 2, headCount: $0 / 16, tieEmbeddings: true)
    }
    let plan = try SweepPlan(
      compute: 1e13, law: Chinchilla.besiroglu, rule: rule, vocabularySize: 256, context: 128, shapes: shapes)
    #expect(plan.runs.count == 16 && plan.runs.map(\.shape) == shapes + shapes + shapes + shapes)
    #expect(abs(plan.compute / 1e13 - 1) < 1e-9)
  }

  // MARK: Sweeps

  private func text() throws -> String {
    let path = NSTemporaryDirectory() + "sweep-\(UUID().uuidString).txt"
    var random = RandomSource(seed: 3)
    // Words in a random order: a model learns the words.
    let words = ["sigma", "gradient", "of", "the", "law", "tensor", "falls", "with"]
    let text = (0..<8_000).map { _ in words[Int.random(in: 0..<words.count, using: &random)] }.joined(separator: " ")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private var quick: SweepSettings {
    var settings = SweepSettings()
    (settings.budgets, settings.sizes, settings.context, settings.batchSize) = (3, 4, 32, 8)
    (settings.factor, settings.leap) = (1.5, 5)
    return settings
  }

  /// A folder of a sweep whose runs do not depend on the speed of the machine: three lengths of each size, and losses as
  /// they come out, or, with rates that fall steeply, so that larger models learn nothing.
  private func writeSweep(_ setup: Sweep.Setup, _ path: String, rates: [Double] = [2e-3, 2e-3, 2e-3, 2e-3]) throws {
    var setup = setup
    for index in setup.plan.runs.indices {
      setup.plan.runs[index].tokens = 256 * [20, 40, 80][index / 4]
      setup.plan.runs[index].learningRate = rates[index % 4]
    }
    (setup.plan.test.tokens, setup.plan.test.learningRate) = (256 * 160, 2e-3)
    let description: JSONValue = [
      "formatVersion": .integer(1), "command": .string(Sweep.command), "configuration": encoded(setup),
    ]
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try AtomicFile.write(description.serialized(), to: "\(path)/config.json")
  }
  private let small = [(layers: 1, width: 16), (1, 32), (2, 32), (2, 48)]

  /// Stopped after some runs and in the middle of one, a sweep comes to the same bits as one that was not; what is
  /// complete is not trained again.
  @Test func stoppedSweepsContinue() throws {
    let (text, base) = (try text(), NSTemporaryDirectory() + "sweep-\(UUID().uuidString)")
    defer { for path in [text, base] { try? FileManager.default.removeItem(atPath: path) } }
    try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
    let (first, whole) = ("\(base)/first", "\(base)/whole")
    let setup = try Sweep(paths: [text], budget: 10, quick, shapes: small, at: "\(base)/planned").setup
    #expect(setup.plan.runs.count == 12 && setup.uniqueTokens > 30_000)
    for path in [first, whole] { try writeSweep(setup, path) }
    do {
      let stop = StopRequest()
      var steps = Int.min
      let result = try Sweep(resuming: first).train(until: .when { stop.isRequested }) { event in
        // In the middle of the second run.
        if case .begins(_, 2, _, _) = event { steps = 0 }
        if case .run(.step) = event { steps += 1 }
        if steps == 3 { stop.stop() }
      }
      #expect(result == nil)
    }
    // Half a sweep has no page, and asking for it writes nothing.
    #expect(throws: SweepError.incomplete(run: "\(first)/runs/02")) {
      _ = try Sweep.report(of: RunFolder.open(first))
    }
    for file in ["report.html", "points.csv", "prediction.json"] {
      #expect(!FileManager.default.fileExists(atPath: "\(first)/\(file)"))
    }

    var begun: [String] = []
    let continued = try #require(
      try Sweep(resuming: first).train { event in
        if case .run(.step) = event, begun.last == "runs/01" { Issue.record("run 1 is trained again") }
        if case .begins(let name, _, _, _) = event { begun.append(name) }
        if case .begins("test", _, _, _) = event {
          #expect(FileManager.default.fileExists(atPath: "\(first)/prediction.json"))
        }
      })
    #expect(begun.count == 13 && begun.last == "test")
    // Half a folder of a run, as a kill can leave it.
    try FileManager.default.createDirectory(atPath: "\(whole)/runs/01/checkpoints", withIntermediateDirectories: true)
    let uninterrupted = try #require(try Sweep(resuming: whole).train())
    #expect(continued.runs.map(\.point) == uninterrupted.runs.map(\.point))
    #expect(continued.outcome == uninterrupted.outcome && continued.outcome != nil)
    #expect(continued.fit.law == uninterrupted.fit.law && continued.prediction == uninterrupted.prediction)

    // Done twice, nothing is trained.
    let again = try Sweep(resuming: whole).train { if case .run(.step) = $0 { Issue.record("trained again") } }
    #expect(again?.outcome == uninterrupted.outcome)
    // What it wrote: a table that the fit reads, a law, a page with the verdict.
    let table = try PointTable(contentsOfFile: "\(whole)/points.csv")
    #expect(table.points.count == 13 && table.points.last?.loss == uninterrupted.test?.point.loss)
    #expect(try NamedLaw(contentsOfFile: "\(whole)/law.json").chinchilla == uninterrupted.fit.law)
    let page = try String(contentsOfFile: "\(whole)/report.html", encoding: .utf8)
    #expect(page.contains("Before the last run was trained") && page.contains("inversely proportional"))
    // Rebuilt it is the same, with the test's row left in the table; without the test it has no outcome.
    #expect(try Sweep.report(of: RunFolder.open(whole)).html() == page)
    #expect(try PointTable(contentsOfFile: "\(whole)/points.csv").points.count == 13)
    try FileManager.default.removeItem(atPath: "\(whole)/test")
    #expect(try Sweep.report(of: RunFolder.open(whole)).html().contains("It has not been trained yet."))

    try "other text".write(toFile: text, atomically: true, encoding: .utf8)
    #expect(throws: SweepError.otherText(paths: [text])) { _ = try Sweep(resuming: whole) }
  }

  /// A sweep started with a relative path continues from any working directory, and after a move with its text.
  @Test func sweepsContinueFromElsewhere() throws {
    let (text, base) = (try text(), NSTemporaryDirectory() + "sweep-\(UUID().uuidString)")
    defer { for path in [text, base] { try? FileManager.default.removeItem(atPath: path) } }
    let depth = FileManager.default.currentDirectoryPath.split(separator: "/").count
    let relative = String(repeating: "../", count: depth) + String(text.drop { $0 == "/" })
    var setup = try Sweep(paths: [relative], budget: 10, quick, shapes: small, at: "\(base)/planned").setup
    #expect(setup.paths.count == 1 && setup.paths[0].hasPrefix("/") && setup.paths[0].hasSuffix(relative))

    setup.paths = ["\(base)/before/text.txt"]
    try writeSweep(setup, "\(base)/before/sweep")
    try FileManager.default.copyItem(atPath: text, toPath: setup.paths[0])
    try FileManager.default.moveItem(atPath: "\(base)/before", toPath: "\(base)/after")
    let moved = try Sweep(resuming: "\(base)/after/sweep").setup
    #expect(moved.paths.count == 1 && moved.paths[0].hasSuffix("/after/text.txt"))
  }

  /// Losses that rise with the size are no law: the points are kept, the test is not trained, and no page traps.
  @Test func lossesWithoutALaw() throws {
    let (text, base) = (try text(), NSTemporaryDirectory() + "sweep-\(UUID().uuidString)")
    defer { for path in [text, base] { try? FileManager.default.removeItem(atPath: path) } }
    let setup = try Sweep(paths: [text], budget: 10, quick, shapes: small, at: "\(base)/planned").setup
    let path = "\(base)/sweep"
    try writeSweep(setup, path, rates: [4e-3, 1e-3, 2e-4, 1e-5])
    #expect { try Sweep(resuming: path).train() } throws: {
      if case SweepError.noLaw(let alpha, _, _) = $0 { alpha < 0 } else { false }
    }
    let table = try PointTable(contentsOfFile: "\(path)/points.csv")
    #expect(table.points.count == 12 && !FileManager.default.fileExists(atPath: "\(path)/prediction.json"))
    let fit = try ChinchillaFit(table.points)
    let report = ScalingReport(
      law: NamedLaw(name: "", title: "", form: .chinchilla(fit.law)), fit: fit, bootstrap: fit.bootstrap(samples: 20))
    #expect(throws: PointError.self) { try report.html() }
  }

  @Test func impossibleSweeps() throws {
    let text = try text()
    defer { try? FileManager.default.removeItem(atPath: text) }
    let path = NSTemporaryDirectory() + "sweep-\(UUID().uuidString)"
    #expect(throws: SweepError.budgetTooSmall(seconds: 1e-5)) {
      _ = try Sweep(paths: [text], budget: 1e-5, quick, shapes: small, at: path)
    }
    var settings = quick
    settings.leap = 20
    #expect(throws: ConfigurationError.self) {
      _ = try Sweep(paths: [text], budget: 1, settings, shapes: small, at: path)
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
