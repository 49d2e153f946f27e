import NablaNN
import NablaTensor
import Testing

/// Adapters against peft (Tests/Fixtures/generate/lora.py).
@Suite struct AdapterTests {
  private func configuration(_ name: String) -> LoRAConfiguration {
    LoRAConfiguration(
      rank: name == "rslora" ? 4 : 3, alpha: 6, usesRankStabilization: name == "rslora", usesMagnitude: name == "dora")
  }

  /// A layer with a given adapter in use, inside a model.
  private final class Model: Module {
    @Named var layer: Linear
    @Named("lm_head") var head: Linear
    init(_ layer: Linear, _ head: Linear) {
      super.init()
      (self.layer, self.head) = (layer, head)
    }
    func callAsFunction(_ x: Tensor) -> Tensor { head(layer(x).tanh()) }
  }

  private func model(seed: UInt64 = 1, inputs: Int = 64, width: Int = 48) -> Model {
    var random = RandomSource(seed: seed)
    return Model(
      Linear(inputs, width, random: &random),
      Linear(width, 5, random: &random))
  }

  @Test("forward, gradients and merged weights are peft's", arguments: ["lora", "rslora", "dora"])
  func parity(_ name: String) throws {
    let fixture = try Fixture("lora")
    let layer = Linear(weight: try fixture["weight"], bias: try fixture["bias"])
    let model = Model(layer, layer)
    let adapter = LoRAAdapter(
      down: try fixture["\(name).lora_A"], up: try fixture["\(name).lora_B"],
      magnitude: fixture.tensors["\(name).magnitude"], configuration(name))
    try model.addAdapter("peft", ["layer": adapter])
    model.useAdapter("peft")
    let (x, upstream) = (try fixture["input"], try fixture["output_gradient"])
    expectClose(model.layer(x), try fixture["\(name).output"])
    let (_, gradients) = valueAndGradient(of: model) { ($0.layer(x) * upstream).sum() }
    let names = ["down": "lora_A", "up": "lora_B", "magnitude": "magnitude"]
    #expect(gradients.names.count == (name == "dora" ? 3 : 2), "\(gradients.names)")
    for gradient in gradients.names {
      let part = names[String(gradient.split(separator: ".").last!)]!
      expectClose(gradients[gradient]!, try fixture["\(name).\(part)_gradient"], "\(part)")
    }
    let (_, inputs) = valueAndGradient(at: [x]) { (model.layer($0[0]) * upstream).sum() }
    expectClose(inputs[0], try fixture["\(name).input_gradient"])
    expectClose(adapter.merged(into: layer.weight), try fixture["\(name).merged"], tolerance: 1e-6)

    model.mergeUsedAdapter()
    expectClose(model.layer(x), try fixture["\(name).output"])
    model.unmergeAdapter()
    expectEqual(model.layer.weight, try fixture["weight"])
    try model.mergeAdapter("peft")
    #expect(type(of: model.layer) == Linear.self && model.adapterNames.isEmpty)
    expectClose(model.layer(x), try fixture["\(name).output"])
  }

  /// The change beside the weight, in every combination the operation distinguishes, against a weight made of both.
  @Test("the operation is a linear layer with the sum", arguments: [DType.float32, .bfloat16], [false, true])
  func operation(_ type: DType, _ separate: Bool) {
    var random = RandomSource(seed: 4)
    let (weight, bias) = (random.normal([33, 64], standardDeviation: 0.2), random.normal([33]))
    let (down, up) = (random.normal([4, 64], standardDeviation: 0.3), random.normal([33, 4], standardDeviation: 0.3))
    let (x, residual) = (random.normal([2, 7, 64]).cast(type), random.normal([2, 7, 33]))
    let z = separate ? random.normal([2, 7, 64]).cast(type) : x
    let upstream = random.normal([2, 7, 33])
    let tolerance = type == .float32 ? 2e-5 : Tolerance.bfloat16
    for base in [weight, weight.cast(.q8_0), weight.cast(.nf4)] {
      let dense = base.cast(.float32)
      for added in [nil, residual] {
        func ours(_ i: [Tensor]) -> Tensor {
          i[0].linear(
            [base], biases: [bias], updates: [LowRankUpdate(down: i[2], up: i[3], scale: 1.5)],
            updateInput: separate ? i[1] : nil, residual: added.map { _ in i[4] }, output: .float32)
        }
        func plain(_ i: [Tensor]) -> Tensor {
          let z = separate ? i[1] : i[0]
          let change = z.cast(.float32).linear(i[2]).linear(i[3]) * 1.5
          let sum = i[0].cast(.float32).linear(dense, bias: bias) + change
          return added == nil ? sum : sum + i[4]
        }
        let inputs = [x, z, down, up, residual]
        expectClose(ours(inputs), plain(inputs), tolerance: tolerance, "\(base.dtype)")
        let (_, a) = valueAndGradient(at: inputs) { (ours($0) * upstream).sum() }
        let (_, b) = valueAndGradient(at: inputs) { (plain($0) * upstream).sum() }
        for (i, (x, y)) in zip(a, b).enumerated() {
          expectClose(x.cast(.float32), y.cast(.float32), tolerance: tolerance, "\(base.dtype), gradient \(i)")
        }
      }
    }
  }

  /// Three layers with one input, of which the second has no update and the others differ in rank and scale.
  @Test("layers side by side are the layers alone", arguments: [DType.float32, .bfloat16], [5, 300])
  func sideBySide(_ type: DType, _ rows: Int) {
    var random = RandomSource(seed: 5)
    let widths = [24, 40, 16]
    let weights = widths.map { random.normal([$0, 64], standardDeviation: 0.2) }
    let factors = [(8, 24), (3, 16)].map { rank, width in
      (random.normal([rank, 64], standardDeviation: 0.3), random.normal([width, rank], standardDeviation: 0.3))
    }
    let x = random.normal([rows, 64]).cast(type)
    let upstream = random.normal([rows, 80])
    let inputs = [x, factors[0].0, factors[0].1, factors[1].0, factors[1].1]
    for stored in [DType.float32, .q8_0, .nf4] {
      let bases = weights.map { $0.cast(stored) }
      func updates(_ i: [Tensor]) -> [LowRankUpdate?] {
        [.init(down: i[1], up: i[2], scale: 2), nil, .init(down: i[3], up: i[4], scale: 0.5)]
      }
      func ours(_ i: [Tensor]) -> Tensor { i[0].linear(bases, updates: updates(i), output: .float32) }
      func alone(_ i: [Tensor]) -> Tensor {
        Tensor.concatenate(
          zip(bases, updates(i)).map { i[0].linear([$0], updates: [$1], output: .float32) }, axis: -1)
      }
      let tolerance = type == .float32 ? 2e-5 : Tolerance.bfloat16
      expectClose(ours(inputs), alone(inputs), tolerance: tolerance, "\(stored)")
      let (_, a) = valueAndGradient(at: inputs) { (ours($0) * upstream).sum() }
      let (_, b) = valueAndGradient(at: inputs) { (alone($0) * upstream).sum() }
      for (i, (x, y)) in zip(a, b).enumerated() {
        expectClose(x.cast(.float32), y.cast(.float32), tolerance: tolerance, "\(stored), gradient \(i)")
      }
    }
  }

  @Test(
    "a new adapter changes nothing, and none is the base bit for bit",
    arguments: LoRAConfiguration.Initialization.allCases)
  func start(_ initialization: LoRAConfiguration.Initialization) throws {
    var random = RandomSource(seed: 2)
    let model = model()
    let x = random.normal([9, 64])
    let before = model(x)
    let paths = try model.addAdapter(
      "a", LoRAConfiguration(rank: 4, alpha: 8, initialization: initialization), random: &random)
    #expect(paths == ["layer"])  // all-linear leaves the output layer out
    expectEqual(model(x), before)
    model.useAdapter("a")
    expectClose(model(x), before, tolerance: initialization == .pissa ? 1e-6 : 0)
    #expect(Set(model.trainableParameters().map(\.name)) == ["layer.adapters.0.down", "layer.adapters.0.up"])

    // One step moves it; without it the bits are those of before.
    let optimizer = AdamW(learningRate: { _ in 0.01 }, weightDecay: 0)
    for _ in 0..<2 { optimizer.update(model, with: valueAndGradient(of: model) { $0(x).square().sum() }.gradients) }
    #expect(distance(model(x), before) > 1e-4)
    model.useAdapter(nil)
    expectEqual(model(x), before)
  }

  @Test("PiSSA begins with the largest singular values") func pissa() throws {
    var random = RandomSource(seed: 3)
    let weight = random.normal([30, 20])
    let adapter = LoRAAdapter(
      weight, LoRAConfiguration(rank: 5, alpha: 10, initialization: .pissa), random: &random)
    let product = adapter.up.matmul(adapter.down) * 2
    let values = SingularSpectrum(of: weight).values
    for (a, b) in zip(SingularSpectrum(of: product).values, values.prefix(5)) { #expect(abs(a - b) < 1e-3) }
    for (a, b) in zip(SingularSpectrum(of: weight - product).values, values.dropFirst(5)) { #expect(abs(a - b) < 1e-3) }
    #expect(adapter.spectrum.values.allSatisfy { $0 < 1e-5 })
  }

  @Test("several adapters share one base and leave no trace") func several() throws {
    var random = RandomSource(seed: 5)
    let shared = model()
    let x = random.normal([6, 64])
    try shared.addAdapter("policy", LoRAConfiguration(rank: 2), random: &random)
    try shared.addAdapter("value", LoRAConfiguration(rank: 3, usesMagnitude: true), random: &random)
    for (_, adapter) in shared.adapter("policy") + shared.adapter("value") {
      adapter.up = random.normal(adapter.up.shape, standardDeviation: 0.1)
    }
    try shared.copyAdapter("policy", as: "reference")
    // Each alone beside a base of its own.
    func alone(_ name: String) throws -> Tensor {
      let own = model()
      try own.addAdapter(name, ["layer": shared.adapter(name)[0].adapter])
      own.useAdapter(name)
      return own(x)
    }
    let base = model()(x)
    for name in ["policy", "value", nil, "reference", "policy", nil, "value"] as [String?] {
      shared.useAdapter(name)
      expectEqual(shared(x), try name.map(alone) ?? base)
    }
    #expect(shared.adapterNames == ["policy", "value", "reference"])

    // The reference is what the policy was, whatever becomes of it.
    shared.useAdapter("reference")
    let reference = shared(x)
    shared.useAdapter("policy")
    expectEqual(shared(x), reference)
    let names = shared.trainableParameters().map(\.name)
    #expect(!names.contains { $0.hasPrefix("layer.adapters.2") } && names.count == 5)
    let optimizer = AdamW(learningRate: { _ in 0.01 })
    optimizer.update(shared, with: valueAndGradient(of: shared) { $0(x).square().sum() }.gradients)
    #expect(distance(shared(x), reference) > 1e-5)
    shared.useAdapter("reference")
    expectEqual(shared(x), reference)
    #expect(throws: AdapterError.exists(name: "value")) {
      try shared.addAdapter("value", LoRAConfiguration(rank: 1), random: &random)
    }
    #expect(throws: AdapterError.unknown(name: "x", known: ["policy", "value", "reference"])) {
      try shared.copyAdapter("x", as: "y")
    }
    shared.removeAdapter("value")
    #expect(shared.adapterNames == ["policy", "reference"])
    shared.useAdapter("reference")
    expectEqual(shared(x), reference)
  }

  /// DoRA's norms are those of the weight that is there, not of one that was replaced.
  @Test func theWeightBesideAMagnitudeMayBeReplaced() throws {
    var random = RandomSource(seed: 9)
    let model = model()
    try model.addAdapter("a", LoRAConfiguration(rank: 2, usesMagnitude: true), random: &random)
    model.useAdapter("a")
    let (_, adapter) = try #require(model.adapter("a").first)
    adapter.up = random.normal(adapter.up.shape)
    let x = random.normal([6, 64])
    _ = model.layer(x)
    model.layer.weight = random.normal(model.layer.weight.shape)
    expectClose(model.layer(x), x.linear(adapter.merged(into: model.layer.weight), bias: model.layer.bias))
  }

  @Test("dropout is the same in a pass made again, and off without a source", arguments: [false, true])
  func dropout(_ magnitude: Bool) throws {
    var random = RandomSource(seed: 6)
    let model = model()
    let x = random.normal([6, 64])
    try model.addAdapter(
      "a", LoRAConfiguration(rank: 2, dropout: 0.5, usesMagnitude: magnitude), random: &random)
    for (_, adapter) in model.adapter("a") { adapter.up = random.normal(adapter.up.shape) }
    model.useAdapter("a")
    let without = model(x)
    model.setDropout(of: "a", random: RandomSource(seed: 7))
    let first = model(x)
    expectEqual(model(x), first)
    #expect(distance(first, without) > 0.01)
    model.setDropout(of: "a", random: RandomSource(seed: 8))
    #expect(distance(model(x), first) > 0.01)
    model.setDropout(of: "a", random: nil)
    expectEqual(model(x), without)
    // On average it changes nothing (but for the tanh: the layer itself is compared).
    var sum = Tensor.zeros([6, 48])
    for seed in 0..<400 {
      model.setDropout(of: "a", random: RandomSource(seed: UInt64(seed)))
      sum = sum + model.layer(x)
    }
    model.setDropout(of: "a", random: nil)
    #expect(distance(sum / 400, model.layer(x)) < 0.05)
  }

  @Test("a base in 4 or 8 bits", arguments: [DType.nf4, .q8_0]) func quantized(_ type: DType) throws {
    var random = RandomSource(seed: 9)
    let model = model()
    model.layer.weight = model.layer.weight.cast(type)
    let dense = model.layer.weight.cast(.float32)
    try model.addAdapter("a", LoRAConfiguration(rank: 4, usesMagnitude: true), random: &random)
    model.useAdapter("a")
    let x = random.normal([16, 64])
    let target = random.normal([16, 5])
    let optimizer = AdamW(learningRate: { _ in 0.02 }, weightDecay: 0)
    var losses: [Float] = []
    for _ in 0..<30 {
      let (loss, gradients) = valueAndGradient(of: model) { $0(x).meanSquaredError(target) }
      losses.append(loss.item())
      optimizer.update(model, with: gradients)
    }
    #expect(losses.last! < 0.8 * losses[0], "\(losses)")
    // Merged onto what the base really was.
    let adapted = model(x)
    let adapter = model.adapter("a")[0].adapter
    try model.mergeAdapter("a")
    expectClose(model(x), adapted)
    #expect(model.layer.weight.dtype == .float32)
    expectEqual(adapter.merged(into: dense), model.layer.weight)
  }

  @Test func settings() {
    var random = RandomSource(seed: 1)
    let model = model()
    func problem(_ configuration: LoRAConfiguration) -> String {
      do {
        try model.addAdapter("a", configuration, random: &random)
        return "none"
      } catch { return "\(error)" }
    }
    #expect(problem(.init(rank: 0)) == "rank: 0 is less than 1")
    #expect(problem(.init(alpha: .nan)) == "alpha: nan is not a positive number")
    #expect(problem(.init(dropout: 1)) == "dropout: 1.0 is not in 0..<1")
    #expect(problem(.init(rank: 49)) == "rank: 49 is more than the layer layer of shape [48, 64] has")
    #expect(
      problem(.init(targets: ["q_proj"]))
        == "targets: no linear layer is named q_proj; the model's are named layer, lm_head")
    #expect(problem(.init(usesMagnitude: true, initialization: .pissa)).hasPrefix("initialization: pissa"))
    #expect(model.adapterNames.isEmpty && type(of: model.layer) == Linear.self)
    #expect(problem(.init(targets: ["lm_head"])) == "rank: 16 is more than the layer lm_head of shape [5, 48] has")
    #expect(problem(.init(rank: 2, targets: ["lm_head"])) == "none")
  }
}
