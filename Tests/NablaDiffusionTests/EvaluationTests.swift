import Foundation
import NablaDiffusion
import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining
import Testing

@Suite struct EvaluationTests {
  /// A shift by v is at sliced distance ‖v‖/√d, a mere rotation of equal points at 0.
  @Test func slicedWassersteinOfShifts() {
    var random = RandomSource(seed: 14)
    let points = random.normal([500, 2])
    let moved = slicedWassersteinDistance(points, points + Tensor([3, 4]), projections: 4000, random: &random)
    #expect(abs(moved - 5 / 2.squareRoot()) < 0.05)
    let order = Tensor(random.permutation(500).map(Int32.init))
    #expect(slicedWassersteinDistance(points, points.gather(order), random: &random) < 1e-6)
  }

  /// The distance of two fresh samples of 1,000 points. For 8 Gaussians a plain Python program found 0.39; much of it is
  /// the number of points that happen to fall to each of the eight.
  @Test func floorsOfFreshSamples() {
    var random = RandomSource(seed: 15)
    func floor(_ set: PointSet) -> Double {
      (0..<10).reduce(0.0) { sum, _ in
        sum
          + slicedWassersteinDistance(
            set.sample(1000, random: &random), set.sample(1000, random: &random), random: &random) / 10
      }
    }
    let (moons, gaussians) = (floor(.moons), floor(.eightGaussians))
    #expect(abs(moons - 0.14) < 0.05, "moons: \(moons)")
    #expect(abs(gaussians - 0.39) < 0.08, "8 Gaussians: \(gaussians)")
  }

  /// Of normal distributions with commuting covariances: ‖Δμ‖² + Σ(s₁ - s₂)².
  @Test func frechetOfGaussians() {
    var random = RandomSource(seed: 16)
    let a = random.normal([20_000, 3]) * Tensor([1, 2, 0.5])
    let b = random.normal([20_000, 3]) * Tensor([2, 2, 1]) + Tensor([1, 0, -1])
    #expect(abs(frechetDistance(a, b) - (2 + 1 + 0 + 0.25)) < 0.15)
    #expect(frechetDistance(a, a) < 1e-6)
    // Features of full correlation have a covariance without inverse.
    let line = Tensor.concatenate([a.slice(0..<1, axis: 1), a.slice(0..<1, axis: 1)], axis: 1)
    #expect(frechetDistance(line, line) < 1e-6)
  }

  /// Rotated by a matrix Q the distance is the same, whatever the axes of the covariances.
  @Test func frechetDoesNotDependOnAxes() {
    var random = RandomSource(seed: 17)
    let a = random.normal([3000, 4]).matmul(random.normal([4, 4]))
    let b = random.normal([3000, 4]).matmul(random.normal([4, 4])) + Tensor(Float(0.5))
    let q = random.orthogonal([4, 4])
    let (plain, rotated) = (frechetDistance(a, b), frechetDistance(a.matmul(q), b.matmul(q)))
    #expect(abs(plain - rotated) < 1e-3 * plain)
  }

  @Test func nearestExamplesAreFound() {
    var random = RandomSource(seed: 18)
    let examples = random.normal([50, 2, 3])
    let samples = examples.gather(Tensor([7, 31, 0] as [Int32])) + 0.001
    let found = nearestExamples(samples, among: examples)
    #expect(found.map(\.index) == [7, 31, 0])
    for (_, distance) in found { #expect(abs(distance - 0.001 * 6.0.squareRoot()) < 1e-5) }
  }

  // MARK: Of runs

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = NSTemporaryDirectory() + "nabla-evaluation-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  /// Images of two kinds that any classifier can tell: a bright upper half, or a bright lower one.
  private func writeHalves(_ folder: String, classes: Bool) throws {
    var random = RandomSource(seed: 21)
    for i in 0..<80 {
      let name = ["upper", "lower"][i % 2]
      let place = classes ? "\(folder)/\(name)" : folder
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      let bytes = (0..<64).map { pixel -> UInt8 in
        let isBright = (pixel < 32) == (i % 2 == 0)
        return UInt8(isBright ? 200 : 40) + UInt8.random(in: 0..<40, using: &random)
      }
      let image = Image(width: 8, height: 8, channels: .gray, bytes: bytes)
      // A second word, which each image has for its own but few.
      try AtomicFile.write(
        PNG.data(image), to: "\(place)/\(classes ? "" : name + "_")\(["one", "two", "three"][i % 3])_\(i / 6).png")
    }
  }

  private func settings(_ change: (inout DiffusionConfiguration) -> Void = { _ in }) -> DiffusionConfiguration {
    var c = DiffusionConfiguration.images
    (c.objective, c.network, c.width, c.depth, c.heads, c.grayscale) = (.flow, .dit, 16, 1, 2, true)
    (c.batchSize, c.steps, c.warmup, c.validationFraction, c.sampleCount) = (8, 2, 1, 0.25, 0)
    change(&c)
    return c
  }

  /// The classifier learns what is easy, data are nearer to data than noise is, and an untrained model's
  /// samples are recognized by chance. A second time the classifier is read.
  @Test(arguments: [true, false]) func classifierJudgesSamples(classes: Bool) throws {
    try withFolder { folder in
      try writeHalves(folder + "/data", classes: classes)
      let run = folder + "/run"
      _ = try TrainingRun(DiffusionTrainer(data: folder + "/data", settings()), at: run).train()
      let file = folder + "/classifier.safetensors"
      var steps = 0
      let options = DiffusionSampling(steps: 2)
      let first = try DiffusionModel.evaluateImages(run, classifier: file, count: 60, options: options) { _, _, _ in
        steps += 1
      }
      #expect(steps > 10 && first.accuracy == 1 && first.classCount == 2 && first.isOfCaptions == !classes)
      #expect(first.interval.contains(first.recognized) && first.interval.upperBound - first.interval.lowerBound < 0.3)
      let distances = first.distances
      #expect(distances.floor < distances.samples && distances.floor < distances.noise, "\(distances)")
      let again = try DiffusionModel.evaluateImages(run, classifier: file, count: 60, options: options) { _, _, _ in
        Issue.record("trained again")
      }
      #expect(again.distances == distances && again.recognized == first.recognized)
      try Data("nothing".utf8).write(to: URL(fileURLWithPath: file))
      #expect(throws: (any Error).self) { try DiffusionModel.evaluateImages(run, classifier: file, count: 10) }
    }
  }

  /// A network that says 0 leaves noise as it is: points have the density of N(0, 1), in the units of the data.
  @Test func likelihoodOfAModelThatLearnedNothing() throws {
    try withFolder { folder in
      var c = DiffusionConfiguration.points
      (c.objective, c.width, c.depth, c.steps, c.warmup, c.learningRate) = (.flow, 8, 1, 1, 0, 1e-12)
      (c.batchSize, c.sampleCount, c.evaluateEvery) = (8, 0, 0)
      let run = folder + "/run"
      let trainer = try DiffusionTrainer(data: "moons", c)
      _ = try TrainingRun(trainer, at: run).train()
      let found = try DiffusionModel.likelihood(run, count: 200, steps: 4)
      // E ½‖z‖² = 1 for data of deviation 1 in two dimensions.
      let expected = 1 + log(2 * Double.pi) + 2 * log(Double(trainer.setup.form.scale!.deviations[0]))
      #expect(abs(found.value - expected) < 4 * found.standardError + 0.01 && found.count == 200, "\(found)")
      #expect(!found.isBitsPerDimension && found.standardError > 0)
    }
  }

  @Test func whatCannotBeJudged() throws {
    try withFolder { folder in
      try writeHalves(folder + "/data", classes: true)
      let run = folder + "/run"
      let none = settings { $0.condition = ConditionKind.none }
      _ = try TrainingRun(DiffusionTrainer(data: folder + "/data", none), at: run).train()
      #expect(throws: ConfigurationError.self) {
        try DiffusionModel.evaluateImages(run, classifier: folder + "/c.safetensors")
      }
      // A class alone: there is nothing to tell apart.
      try FileManager.default.createDirectory(atPath: folder + "/one", withIntermediateDirectories: true)
      let halves = folder + "/data/"
      let name = try #require(try FileManager.default.contentsOfDirectory(atPath: halves).sorted().first)
      try FileManager.default.copyItem(atPath: halves + name, toPath: folder + "/one/" + name)
      _ = try TrainingRun(DiffusionTrainer(data: folder + "/one", settings { _ in }), at: folder + "/oneRun").train()
      #expect(throws: ConfigurationError.self) {
        try DiffusionModel.evaluateImages(folder + "/oneRun", classifier: folder + "/c.safetensors")
      }
      let discrete = settings { ($0.objective, $0.noiseSteps) = (.ddpm, 10) }
      _ = try TrainingRun(DiffusionTrainer(data: folder + "/data", discrete), at: folder + "/ddpm").train()
      #expect(throws: ConfigurationError.self) { try DiffusionModel.likelihood(folder + "/ddpm") }
    }
  }

  // MARK: Inpainting and interpolation

  /// Every sampler of every objective keeps what is known, and fills in the rest.
  @Test(arguments: ObjectiveKind.allCases) func knownDataAreKept(_ objective: ObjectiveKind) throws {
    var random = RandomSource(seed: 31)
    var c = settings()
    (c.objective, c.noiseSteps) = (objective, 20)
    let form = DataForm(shape: [1, 8, 8], scale: nil, deviation: 0.5)
    let model = try DiffusionModel(c, form, random: &random)
    let data = random.uniform([1, 1, 8, 8], in: -1..<1)
    let mask = Tensor((0..<64).map { $0 % 8 < 4 ? Float(1) : 0 }, [1, 1, 8, 8])
    for sampler in c.samplers where sampler != .ode {
      let found = try model.sample(
        2, DiffusionSampling(sampler: sampler, steps: 4), keeping: KnownData(data, where: mask), seed: 1)
      #expect(distance(found[0..<1] * mask, data * mask) < 1e-6, "\(sampler)")
      let rest = found * (Tensor(Float(1)) - mask)
      #expect(rest.sumOfSquares().isFinite && distance(rest[0..<1], rest[1..<2]) > 0.01, "\(sampler)")
    }
  }

  /// On the way the network sees the known part with the noise of the level: what it estimates of the rest follows.
  @Test func whatIsKnownReachesTheRest() {
    // Two numbers that are always equal, with variance 1: the best estimate of both is a/(a²+s²/2)·mean.
    let denoiser = Denoiser(predicting: .data) { x, step in
      let (a, s) = (step.level.alpha, step.level.sigma)
      let gain = Float(a / (a * a + s * s / 2))
      return x.mean(axis: 1, keepingDimension: true) * gain * Tensor.ones([1, 2])
    }
    var random = RandomSource(seed: 33)
    let known = KnownData([[1.5, 0]], where: [[1, 0]])
    let process = EDM(dataDeviation: 1)
    let steps = process.steps(60, spacing: .karras(), final: .clean)
    let noise = initialNoise([200, 2], at: steps[0], random: &random)
    let found = Heun().sample(noise, denoiser.keeping(known), along: steps, random: &random)
    #expect(distance(found.slice(0..<1, axis: 1), Tensor.full([200, 1], 1.5)) < 1e-5)
    // Replacement is no exact conditioning, but the second number comes to the first's side, and near it.
    #expect(abs(mean(found.slice(1..<2, axis: 1)) - 1.5) < 0.4)
  }

  @Test func slerpKeepsLengths() {
    let (a, b): (Tensor, Tensor) = ([[3, 0, 0]], [[0, 3, 0]])
    for share in [0.0, 0.25, 0.5, 1] {
      let c = slerp(a, b, share)
      let angle = share * .pi / 2
      let expected = Tensor([Float(3 * cos(angle)), Float(3 * sin(angle)), 0], [1, 3])
      #expect(distance(c, expected) < 1e-6)
    }
    #expect(distance(slerp(a, a, 0.3), a) < 1e-6)
  }
}
