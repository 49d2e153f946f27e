import Glibc
import NablaNN
import NablaTensor
import Testing

/// Parameters that a test steps; a loss Σ w·g has exactly the gradient g.
private final class Weights: Module {
  @Parameter var matrix: Tensor?
  @Parameter var tall: Tensor?
  @Parameter var vector: Tensor?

  init(_ values: [String: Tensor]) {
    matrix = values["matrix"]
    tall = values["tall"]
    vector = values["vector"]
  }

  func gradients(_ wanted: [String: Tensor]) -> Gradients {
    valueAndGradient(of: self) { model in
      [("matrix", model.matrix), ("tall", model.tall), ("vector", model.vector)].reduce(Tensor(0)) { sum, pair in
        pair.1.map { sum + ($0 * wanted[pair.0]!).sum() } ?? sum
      }
    }.gradients
  }
}

@Suite struct OptimizerTests {
  private static func make(_ kind: String, _ schedule: @escaping Schedule) -> any Optimizer {
    switch kind {
    case "adamw": AdamW(learningRate: schedule, beta1: 0.9, beta2: 0.95, weightDecay: 0.1)
    case "sgd": SGD(learningRate: schedule, momentum: 0.9)
    case "sgd_nesterov": SGD(learningRate: schedule, momentum: 0.9, nesterov: true)
    case "sgd_decay": SGD(learningRate: schedule, momentum: 0.9, weightDecay: 0.1)
    default: Muon(learningRate: schedule, momentum: 0.95, weightDecay: 0.1, rest: AdamW(learningRate: schedule))
    }
  }

  private static func parameters(_ fixture: Fixture, _ kind: String) -> [String] {
    ["matrix", "tall", "vector"].filter { fixture.tensors["\(kind).\($0).initial"] != nil }
  }

  /// The state is a value: later steps do not change it, so that one can return to it.
  @Test(arguments: ["adamw", "sgd", "muon"]) func theStateIsASnapshot(_ kind: String) throws {
    var random = RandomSource(seed: 1)
    let model = Weights(["matrix": random.normal([4, 6]), "vector": random.normal([6])])
    let optimizer = Self.make(kind) { _ in 0.01 }
    func take() {
      optimizer.update(model, with: model.gradients(["matrix": random.normal([4, 6]), "vector": random.normal([6])]))
    }
    take()
    let (state, step) = (optimizer.state, optimizer.step)
    let before = state.mapValues { $0.array() }
    take()
    #expect(state.mapValues { $0.array() } == before && optimizer.state.mapValues { $0.array() } != before)
    try optimizer.restore(state, step: step, for: model)
    #expect(optimizer.state.mapValues { $0.array() } == before)
  }

  /// 20 steps on recorded gradients, compared after each.
  ///
  /// Rounding grows with the steps: an update of AdamW is (m/√v), whose error is a few 1e-7 of the rate. Muon's fixture
  /// has its Newton-Schulz steps in float64; torch's own in bfloat16 are 1e-2 of an update apart, and the errors of
  /// 20 updates of 0.05 add up to less than 0.05.
  @Test(arguments: ["adamw", "sgd", "sgd_nesterov", "sgd_decay", "muon", "muon_bfloat16"])
  func matchesTorch(_ kind: String) throws {
    let fixture = try Fixture("optimizers")
    let names = Self.parameters(fixture, kind)
    let model = Weights(
      Dictionary(uniqueKeysWithValues: try names.map { ($0, try fixture["\(kind).\($0).initial"].stopGradient()) }))
    let rates = try fixture["\(kind).learning_rates"].array()
    let optimizer = Self.make(kind) { rates[$0] }
    for step in 0..<20 {
      #expect(optimizer.step == step)
      let gradients = Dictionary(
        uniqueKeysWithValues: try names.map { ($0, try fixture["\(kind).\($0).gradients"][step]) })
      optimizer.update(model, with: model.gradients(gradients))
      for parameter in model.parameters() {
        expectClose(
          parameter.value, try fixture["\(kind).\(parameter.name).values"][step],
          tolerance: kind == "muon_bfloat16" ? 0.02 : kind == "muon" ? 1e-5 : 2e-6, "step \(step), \(parameter.name)")
      }
    }
  }

  /// A perceptron keeps its weights in a form of its own, which a step makes stale.
  @Test(arguments: ["adamw", "sgd", "muon"]) func perceptronSeesItsSteps(_ kind: String) {
    var random = RandomSource(seed: 1)
    let network = MultilayerPerceptron([3, 16, 2], random: &random)
    let optimizer = Self.make(kind) { _ in 0.1 }
    let x = random.normal([4, 3])
    for _ in 0..<3 {
      _ = network(x)
      let (_, gradients) = valueAndGradient(of: network) { $0(x).sum() }
      optimizer.update(network, with: gradients)
      let copy = MultilayerPerceptron([3, 16, 2], random: &random)
      try! copy.load(Dictionary(uniqueKeysWithValues: network.parameters().map { ($0.name, $0.value) }))
      #expect(network(x).array(of: Float.self) == copy(x).array())
    }
  }

  /// A loaded fixture must not be stepped in place: optimizers write into memory that is theirs alone.
  @Test(arguments: ["adamw", "sgd", "muon"]) func leavesSharedMemoryAlone(_ kind: String) throws {
    let start = Tensor.ones([4, 4])
    let model = Weights(["matrix": start])
    let optimizer = Self.make(kind) { _ in 0.1 }
    let before = model.parameters()[0].value
    optimizer.update(model, with: model.gradients(["matrix": .arange(16).reshaped([4, 4])]))
    #expect(start.array() == Array(repeating: 1, count: 16))
    #expect(before.array() == Array(repeating: 1, count: 16))
    #expect(model.parameters()[0].value.array() != before.array())
  }

  /// The scale that clipping leaves on gradients reaches the step.
  @Test(arguments: ["adamw", "sgd", "sgd_nesterov", "muon"]) func appliesTheScale(_ kind: String) throws {
    let g: Tensor = [[3, -1], [0.5, 2]]
    func stepped(_ gradients: (Weights) -> Gradients) -> Tensor {
      let model = Weights(["matrix": .ones([2, 2]), "vector": .ones([2])])
      let optimizer = Self.make(kind) { _ in 0.1 }
      for _ in 0..<3 { optimizer.update(model, with: gradients(model)) }
      return model.matrix!.stopGradient()
    }
    let v: Tensor = [1, 2]
    let scaled = stepped { $0.gradients(["matrix": g, "vector": v]).scaled(by: 0.125) }
    // A power of two: the same bits either way.
    expectEqual(scaled, stepped { $0.gradients(["matrix": g * 0.125, "vector": v * 0.125]) })
  }

  /// 6 steps in one go equal 3, a saved state, and 3 more.
  @Test(arguments: ["adamw", "sgd", "sgd_nesterov", "muon"]) func resumesExactly(_ kind: String) throws {
    func gradient(_ step: Int) -> [String: Tensor] {
      var random = RandomSource(seed: UInt64(step))
      return ["matrix": random.normal([6, 4]), "tall": random.normal([8, 3]), "vector": random.normal([5])]
    }
    var random = RandomSource(seed: 99)
    let start = ["matrix": random.normal([6, 4]), "tall": random.normal([8, 3]), "vector": random.normal([5])]
    let schedule = cosine(peak: 0.1, warmup: 2, total: 6)
    let (whole, first) = (Weights(start), Weights(start))
    let (a, b) = (Self.make(kind, schedule), Self.make(kind, schedule))
    for step in 0..<6 { a.update(whole, with: whole.gradients(gradient(step))) }
    for step in 0..<3 { b.update(first, with: first.gradients(gradient(step))) }
    let second = Weights(Dictionary(uniqueKeysWithValues: first.parameters().map { ($0.name, $0.value) }))
    let c = Self.make(kind, schedule)
    try c.restore(b.state, step: b.step, for: second)
    for step in 3..<6 { c.update(second, with: second.gradients(gradient(step))) }
    for (x, y) in zip(whole.parameters(), second.parameters()) { expectEqual(y.value, x.value, x.name) }
    #expect(c.step == 6)
  }

  @Test func restoringRefusesOtherShapes() throws {
    let model = Weights(["matrix": .ones([2, 3])])
    let optimizer = AdamW(learningRate: constant(0.1))
    let error = #expect(throws: StateError.self) {
      try optimizer.restore(["matrix.exp_avg": .zeros([3, 2])], step: 4, for: model)
    }
    #expect("\(try #require(error))".contains("matrix.exp_avg has shape [3, 2], not [2, 3]"))
    #expect(optimizer.step == 0)
  }

  @Test func frozenParametersStay() {
    let model = Weights(["matrix": .ones([2, 2]), "vector": .ones([2])])
    model.parameters()[0].isTrainable = false
    let optimizer = AdamW(learningRate: constant(0.1))
    optimizer.update(model, with: model.gradients(["matrix": .ones([2, 2]), "vector": .ones([2])]))
    #expect(model.matrix!.array() == [1, 1, 1, 1])
    #expect(model.vector!.array() != [1, 1])
  }

  /// U·Vᵀ has the singular values of the gradient pressed to about 1: for a diagonal matrix they can be read off.
  @Test func orthogonalizedPressesSingularValues() {
    let diagonal: Tensor = [[3, 0, 0], [0, 1, 0], [0, 0, 0.5], [0, 0, 0]]
    let result = orthogonalized(diagonal)
    #expect(result.shape == [4, 3])
    for (i, value) in result.array().enumerated() {
      let isDiagonal = i / 3 == i % 3
      #expect(isDiagonal ? (0.6...1.3).contains(value) : abs(value) < 1e-5)
    }
  }

  // MARK: Schedules, at values worked out by hand

  @Test func constantAndLinear() {
    #expect(constant(0.5)(0) == 0.5 && constant(0.5)(1_000_000) == 0.5)
    let schedule = linear(from: 1, to: 0, steps: 4)
    #expect((0...5).map(schedule) == [1, 0.75, 0.5, 0.25, 0, 0])
    #expect(linear(from: 1, to: 2, steps: 0)(3) == 2)
  }

  @Test func cosineWithWarmup() {
    let schedule = cosine(peak: 1, warmup: 4, total: 12, final: 0.2)
    #expect((0..<4).map(schedule) == [0.25, 0.5, 0.75, 1])
    #expect(schedule(4) == 1)
    // A quarter and a half of the way down half a cosine: 0.2 + 0.8 · (1 + cos(π/4))/2 and 0.2 + 0.8 · 1/2.
    #expect(abs(schedule(6) - 0.882_842_7) < 1e-6)
    #expect(abs(schedule(8) - 0.6) < 1e-6)
    #expect(abs(schedule(12) - 0.2) < 1e-6 && abs(schedule(100) - 0.2) < 1e-6)
    #expect(cosine(peak: 1, total: 0)(0).isFinite)
  }

  @Test func warmupStableDecayByHand() {
    let schedule = warmupStableDecay(peak: 1, warmup: 2, decay: 4, total: 10, final: 0.2)
    #expect((0..<6).map(schedule) == [0.5, 1, 1, 1, 1, 1])
    for (step, rate) in [(6, 1.0), (7, 0.8), (8, 0.6), (9, 0.4), (10, 0.2), (50, 0.2)] as [(Int, Float)] {
      #expect(abs(schedule(step) - rate) < 1e-6)
    }
  }
}
