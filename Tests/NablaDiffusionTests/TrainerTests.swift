import Foundation
import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining
import Testing

import NablaDiffusion

private func withFolder(_ body: (String) throws -> Void) throws {
  let folder = NSTemporaryDirectory() + "nabla-diffusion-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try body(folder)
}

/// Twelve images of 8 × 8 with captions of two words, and in subfolders where there are classes.
private func writeImages(_ folder: String, classes: Bool = false) throws {
  for (i, shape) in ["bar", "dot", "frame"].enumerated() {
    if classes {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(shape)", withIntermediateDirectories: true)
    }
    for (j, color) in ["red", "green", "blue", "black"].enumerated() {
      var bytes = [UInt8](repeating: 255, count: 8 * 8 * 3)
      for y in 0..<8 {
        for x in 0..<8 where i == 0 ? x == 3 : i == 1 ? (3...4 ~= x && 3...4 ~= y) : (x % 7 == 0 || y % 7 == 0) {
          for c in 0..<3 { bytes[(y * 8 + x) * 3 + c] = c == j ? 200 : 0 }
        }
      }
      let image = Image(width: 8, height: 8, channels: .rgb, bytes: bytes)
      try AtomicFile.write(PNG.data(image), to: "\(folder)/\(classes ? shape + "/" : "")\(color)_\(shape).png")
    }
  }
}

private func tiny(_ change: (inout DiffusionConfiguration) -> Void) -> DiffusionConfiguration {
  var c = DiffusionConfiguration.points
  (c.width, c.depth, c.heads, c.channels, c.layersPerBlock) = (16, 1, 2, [8, 16], 1)
  (c.batchSize, c.steps, c.warmup, c.learningRate, c.validationFraction) = (8, 6, 1, 1e-3, 0.25)
  (c.evaluateEvery, c.sampleEvery, c.checkpointEvery, c.sampleCount) = (3, 3, 2, 4)
  change(&c)
  return c
}

/// What is said of settings that cannot be.
private func problem(_ data: String, _ settings: [String: String]) -> String {
  do {
    var c = tiny { _ in }
    for (name, text) in settings { try c.set(name, to: text) }
    _ = try DiffusionTrainer(data: data, c)
    return "none"
  } catch let error as ConfigurationError {
    return error.problem
  } catch {
    return "\(error)"
  }
}

@Suite struct TrainerTests {
  struct Case: Sendable, CustomStringConvertible {
    var objective: ObjectiveKind
    var network: NetworkKind
    var condition: ConditionKind
    var description: String { "\(objective) \(network) \(condition)" }
  }

  static let cases = [
    Case(objective: .ddpm, network: .mlp, condition: .none), Case(objective: .score, network: .mlp, condition: .none),
    Case(objective: .edm, network: .unet, condition: .classes),
    Case(objective: .ddpm, network: .unet, condition: .none),
    Case(objective: .flow, network: .dit, condition: .captions),
    Case(objective: .flow, network: .dit, condition: .classes),
    Case(objective: .score, network: .unet, condition: .captions),
  ]

  /// Stopped twice and resumed: the same weights, average, moments and metrics, to the bit.
  @Test(arguments: cases) func aResumedRunHasTheSameBits(_ kind: Case) throws {
    try withFolder { folder in
      var data = "moons"
      if kind.network != .mlp {
        data = "\(folder)/images"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        try writeImages(data, classes: kind.condition == .classes)
      }
      let c = tiny { c in
        (c.objective, c.network, c.noiseSteps) = (kind.objective, kind.network, 50)
        if kind.network != .mlp { c.condition = kind.condition }
      }
      _ = try TrainingRun(DiffusionTrainer(data: data, c), at: "\(folder)/whole").train()
      let path = "\(folder)/parts"
      _ = try TrainingRun(DiffusionTrainer(data: data, c), at: path).train(until: .at(3))
      _ = try DiffusionTrainer.resume(path).train(until: .at(5))
      #expect(try DiffusionTrainer.resume(path).train() == .finished)
      for file in ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"] {
        let name = "checkpoints/step-00000006/\(file)"
        #expect(
          FileManager.default.contents(atPath: "\(path)/\(name)")
            == FileManager.default.contents(atPath: "\(folder)/whole/\(name)"), "\(file)")
      }
      func curve(_ path: String) throws -> [String] {
        try MetricsRecord.readAll(folder: path).map { record in
          let values = record.values.filter { !["seconds", "memory_bytes", "examples_per_second"].contains($0.name) }
          return "\(record.step) \(values)"
        }
      }
      #expect(try curve(path) == curve("\(folder)/whole"))
      // The model folder and the run give the same samples; that of the run are pictures, and its report shows them.
      let conditions: Conditions =
        switch kind.condition {
        case .none: .none
        case .classes: .classes([0, 1])
        case .captions: try DiffusionModel.load(path).conditions(count: 2, caption: "red bar")
        }
      let (run, model) = (try DiffusionModel.load(path), try DiffusionModel.load("\(path)/model"))
      let samples = try run.sample(2, conditions: conditions, seed: 3)
      #expect(samples.array() == (try model.sample(2, conditions: conditions, seed: 3)).array())
      #expect(samples.shape[0] == 2 && samples.sum().item().isFinite)
      let png = try PNG.read(path: "\(path)/samples/step-00000006.png")
      #expect(png.width > 8)
      let page = try String(contentsOfFile: "\(path)/report.html", encoding: .utf8)
      #expect(page.contains("src=\"data:image/png;base64,") && page.contains("The forward process"))
      #expect(page.contains("From noise to data") == (kind.network == .mlp))
      #expect(page.contains("chart-steps") == (kind.network == .mlp))
      #expect(page.contains("<h3>Guidance</h3>") == (kind.condition != .none))
      #expect(pathExists("\(path)/diffusers/model_index.json") == (kind.network == .unet && kind.objective == .ddpm))
    }
  }

  /// The average of the weights forgets its random beginning: after ten updates it is near the weights, where one of
  /// fixed decay 0.999 would still be at the beginning.
  @Test func theAverageWarmsUp() {
    var random = RandomSource(seed: 5)
    let model = Linear(1, 1, bias: false, random: &random)
    let weight = model.parameters()[0]
    weight.value = Tensor([Float(100)], weight.value.shape)
    var average = MovingAverage(of: model, decay: 0.999, warmupPower: 0.75)
    // In float64: d = min(0.999, 1 - n^(-3/4)).
    var expected = 100.0
    for n in 1...10 {
      weight.value = Tensor([Float(n)], weight.value.shape)
      average.update(model)
      let decay = min(0.999, 1 - pow(Double(n), -0.75))
      expected = decay * expected + (1 - decay) * Double(n)
    }
    let value = Double(average.tensors[weight.name]!.item())
    #expect(abs(value - expected) < 1e-4)
    #expect(value < 10 && value > 5, "\(value): the 100 of the beginning is forgotten")
    let resumed = MovingAverage(average.tensors, decay: 0.999, warmupPower: 0.75, updates: 10)
    #expect(resumed.updates == average.updates)
  }

  /// A run's samples are of the average, and early on that average is of trained weights: two-moons at step 60 of 60 is
  /// far nearer to the data than the untrained network.
  @Test func theAverageIsOfUseFromTheStart() throws {
    try withFolder { folder in
      let c = tiny { c in
        (c.objective, c.width, c.depth, c.steps, c.batchSize, c.learningRate) = (.flow, 64, 2, 60, 256, 5e-3)
        (c.ema, c.sampleCount, c.evaluateEvery, c.checkpointEvery, c.sampleEvery) = (0.9999, 0, 0, 0, 0)
      }
      let run = try TrainingRun(DiffusionTrainer(data: "moons", c), at: "\(folder)/run")
      _ = try run.train()
      let losses = try MetricsRecord.readAll(folder: "\(folder)/run").compactMap { $0["validation_loss"] }
      #expect(losses.last! < 0.8 * losses.first!, "\(losses)")
    }
  }

  /// A run may have the name of its set, as in `--output runs/moons`.
  @Test func aSetIsNoFolder() throws {
    try withFolder { folder in
      let path = "\(folder)/moons"
      _ = try TrainingRun(DiffusionTrainer(data: "moons", tiny { $0.noiseSteps = 50 }), at: path).train(until: .at(2))
      #expect(try DiffusionTrainer.resume(path).train() == .finished)
      let result = try DiffusionModel.evaluate(path, count: 20)
      #expect(result.slicedWasserstein != nil)
    }
  }

  /// Files that moved together with the run are found for evaluations too.
  @Test func dataMayMoveWithTheRun() throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(atPath: "\(folder)/a", withIntermediateDirectories: true)
      try AtomicFile.write((0..<40).map { "\($0),\($0 * $0)\n" }.joined(), to: "\(folder)/a/points.csv")
      let trainer = try DiffusionTrainer(data: "\(folder)/a/points.csv", tiny { $0.noiseSteps = 50 })
      _ = try TrainingRun(trainer, at: "\(folder)/a/run").train()
      try FileManager.default.moveItem(atPath: "\(folder)/a", toPath: "\(folder)/b")
      #expect(try DiffusionModel.evaluate("\(folder)/b/run", count: 20).slicedWasserstein != nil)
    }
  }

  /// The pictures of the report take no more steps than the process has.
  @Test(arguments: [4, 24]) func fewNoiseSteps(_ count: Int) throws {
    try withFolder { folder in
      let c = tiny { ($0.noiseSteps, $0.schedule) = (count, .cosine) }
      let trainer = try DiffusionTrainer(data: "moons", c)
      #expect(try TrainingRun(trainer, at: "\(folder)/run").train() == .finished)
      #expect(pathExists("\(folder)/run/model/config.json") && pathExists("\(folder)/run/report.html"))
    }
  }

  /// So few steps bring β to 1, and σ/α to infinity, without being asked to.
  @Test func fewStepsMayEndWithoutSignal() throws {
    let c = tiny { ($0.schedule, $0.noiseSteps, $0.prediction) = (.linear, 20, .v) }
    #expect(!c.samplers.contains(.heun) && c.samplers.contains(.ddim))
    let error = #expect(throws: ConfigurationError.self) { try c.sampler(.euler, steps: 5, deviation: 1) }
    let problem = try #require(error).problem
    #expect(problem.contains("with zero terminal SNR"))
  }

  /// Each column of a table has units of its own; both columns are learned.
  @Test func columnsHaveTheirOwnUnits() throws {
    try withFolder { folder in
      var random = RandomSource(seed: 3)
      let numbers = random.normal([400, 2]).array()
      let rows = (0..<400).map { "\(40 + 15 * numbers[2 * $0]),\(5e4 * numbers[2 * $0 + 1])\n" }
      try AtomicFile.write("age,income\n" + rows.joined(), to: "\(folder)/people.csv")
      let trainer = try DiffusionTrainer(data: "\(folder)/people.csv", tiny { $0.noiseSteps = 50 })
      let form = trainer.setup.form
      let deviations = try #require(form.scale).deviations
      #expect(abs(deviations[0] / 15 - 1) < 0.2 && abs(deviations[1] / 5e4 - 1) < 0.2, "\(deviations)")
      #expect(form.columnNames == ["age", "income"])
    }
  }

  /// A word of held-out captions only would have an embedding that nothing trains.
  @Test func onlyTrainedWordsAreKnown() throws {
    try withFolder { folder in
      try writeImages(folder)
      for (i, file) in try FileManager.default.contentsOfDirectory(atPath: folder).sorted().enumerated() {
        try FileManager.default.moveItem(atPath: "\(folder)/\(file)", toPath: "\(folder)/icon_w\(i).png")
      }
      let trainer = try DiffusionTrainer(data: folder, tiny { $0.noiseSteps = 50 })
      // Nine of twelve are trained on; "icon" is in all.
      #expect(trainer.setup.form.vocabulary?.words.count == 10)
      let metrics = try trainer.evaluate(isFinal: true)
      #expect(metrics.allSatisfy { $0.value.isFinite })
      let long = Array(repeating: "icon", count: 17).joined(separator: " ")
      #expect(throws: ConfigurationError.self) { try trainer.model.conditions(count: 1, caption: long) }
    }
  }

  /// Without dropout there is no unconditional model to sample, or to guide by.
  @Test func withoutDropoutThereIsNoGuidance() throws {
    try withFolder { folder in
      try writeImages(folder, classes: true)
      let c = tiny { ($0.objective, $0.network, $0.conditionDropout) = (.flow, .dit, 0) }
      let run = folder + "-run"
      defer { try? FileManager.default.removeItem(atPath: run) }
      let trainer = try DiffusionTrainer(data: folder, c)
      #expect(try TrainingRun(trainer, at: run).train() == .finished)
      let model = try DiffusionTrainer(data: folder, c).model
      #expect(throws: ConfigurationError.self) { try model.sample(1, seed: 1) }
      let label = Conditions.classes([0])
      #expect(throws: ConfigurationError.self) {
        try model.sample(1, DiffusionSampling(steps: 2, guidance: 2), conditions: label, seed: 1)
      }
      #expect(try model.sample(1, DiffusionSampling(steps: 2), conditions: label, seed: 1).count == 3 * 8 * 8)
    }
  }

  /// flow's shift moves the steps of sampling too, and Langevin's steps fit data of any scale.
  @Test func samplersFollowTheSettings() throws {
    let c = tiny { ($0.objective, $0.flowShift) = (.flow, 3) }
    #expect(try c.sampler(.euler, steps: 2, deviation: 1).steps[1].time == shiftedFlowTime(0.5, by: 3))
    let langevin = tiny { ($0.objective, $0.process) = (.score, .varianceExploding) }
    for deviation in [0.1, 0.5] {
      let (sampler, steps) = try langevin.sampler(.langevin, steps: 100, deviation: deviation)
      var random = RandomSource(seed: 2)
      let noise = initialNoise([2000, 1], at: steps[0], random: &random)
      let x = sampler.sample(noise, GaussianData(deviation: deviation).denoiser(), along: steps, random: &random)
      let ratio = Double(x.square().mean().item()).squareRoot() / deviation
      #expect(abs(ratio - 1) < 0.1, "\(deviation): \(ratio)")
    }
  }

  @Test func otherDataAreRefused() throws {
    try withFolder { folder in
      let csv = "\(folder)/points.csv"
      func write(_ last: Int) throws {
        try AtomicFile.write((0..<20).map { "\($0),\($0 == 19 ? last : $0 * 2)\n" }.joined(), to: csv)
      }
      try write(1)
      let path = "\(folder)/run"
      _ = try TrainingRun(DiffusionTrainer(data: csv, tiny { $0.noiseSteps = 50 }), at: path).train(until: .at(2))
      try write(2)
      let error = #expect(throws: DataError.self) { try DiffusionTrainer.resume(path) }
      #expect("\(try #require(error))".contains("points.csv"))
      try write(1)
      #expect(try DiffusionTrainer.resume(path).trainer.progress.done == 2)
    }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    try withFolder { folder in
      try writeImages(folder)
      let cases: [(data: String, settings: [String: String], says: String)] = [
        (folder, ["batch-size": "10"], "has 9 examples to train on, fewer than a batch"),
        (folder, ["network": "mlp"], "mlp is for points"), ("moons", ["network": "dit"], "dit is for images"),
        (folder, ["condition": "class"], "has no classes"), ("mons", [:], "did you mean 'moons'"),
        ("moons", ["zero-terminal-snr": "true"], "prediction to v or data"),
        ("moons", ["zero-terminal-snr": "true", "prediction": "v", "min-snr": "5"], "the weight 0"),
        ("moons", ["objective": "flow", "min-snr": "5"], "min-snr is for objective ddpm, not for flow"),
        ("moons", ["objective": "flow", "prediction": "v"], "prediction is for objective ddpm"),
        ("moons", ["optimal-transport": "true"], "optimal-transport is for objective flow"),
        ("moons", ["process": "ve"], "process is for objective score"),
        ("moons", ["condition": "class"], "has neither classes nor captions"),
        ("moons", ["image-size": "8"], "image-size is for folders of PNG images"),
        (folder, ["condition-dropout": "1"], "never shows a condition"),
        (folder, ["condition": "none", "network": "unet", "channels": "12,24"], "channels must be multiples of 8"),
      ]
      for (data, settings, says) in cases {
        let problem = problem(data, settings)
        #expect(problem.contains(says), "\(settings): \(problem)")
      }
    }
  }

  /// Each objective's samplers can be made, and no others.
  @Test(arguments: ObjectiveKind.allCases, [false, true]) func samplersSuitTheirObjective(
    _ objective: ObjectiveKind, zeroTerminalSNR: Bool
  ) throws {
    var c = tiny { $0.noiseSteps = 50 }
    c.objective = objective
    c.zeroTerminalSNR = zeroTerminalSNR
    for kind in SamplerKind.allCases {
      let works = (try? c.sampler(kind, steps: 5, deviation: 1)) != nil
      #expect(works == c.samplers.contains(kind), "\(objective) \(kind)")
    }
  }

  /// Every sampler that an objective offers ends in finite numbers.
  @Test(arguments: ObjectiveKind.allCases) func everySamplerRuns(_ objective: ObjectiveKind) throws {
    for process in objective == .score ? ScoreProcess.allCases : [.variancePreserving] {
      let c = tiny { ($0.objective, $0.process, $0.noiseSteps) = (objective, process, 50) }
      let trainer = try DiffusionTrainer(data: "moons", c)
      for kind in c.samplers {
        let points = try trainer.model.sample(3, DiffusionSampling(sampler: kind, steps: 5), seed: 1)
        #expect(points.shape == [3, 2] && points.sum().item().isFinite, "\(kind)")
      }
    }
  }

  @Test func evaluationTellsTheFloor() throws {
    try withFolder { folder in
      let path = "\(folder)/run"
      _ = try TrainingRun(DiffusionTrainer(data: "moons", tiny { $0.noiseSteps = 50 }), at: path).train()
      let result = try DiffusionModel.evaluate(path, count: 200)
      let (distance, floor) = try #require(result.slicedWasserstein)
      #expect(distance > floor && floor > 0.05 && result.nearest == nil)
    }
  }
}
