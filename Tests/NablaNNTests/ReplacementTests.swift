import NablaNN
import NablaTensor
import Testing

/// A layer of a type of its own, which computes what `Linear` does and counts its calls.
private final class Counting: Linear {
  var calls = 0

  init(_ layer: Linear) { super.init(weight: layer.weight, bias: layer.bias) }

  override func callAsFunction(_ x: Tensor, residual: Tensor?, output: DType?) -> Tensor {
    calls += 1
    return super.callAsFunction(x, residual: residual, output: output)
  }
}

/// A weight and something small beside it: y = x·Wᵀ + b + (x·Aᵀ)·Bᵀ.
private final class LowRank: Linear {
  @Named("lora_A") var a: Linear
  @Named("lora_B") var b: Linear

  init(_ layer: Linear, random: inout RandomSource) {
    super.init(weight: layer.weight, bias: layer.bias)
    freeze()
    a = Linear(layer.inputs, 2, bias: false, random: &random)
    b = Linear(2, layer.outputs, bias: false, random: &random)
  }

  override func callAsFunction(_ x: Tensor, residual: Tensor?, output: DType?) -> Tensor {
    b(a(x), residual: super.callAsFunction(x, residual: residual, output: output), output: output)
  }
}

/// Children of every kind that can be replaced, and one that cannot.
private final class Holder: Module {
  @Named("self_attn.proj") var dotted: Linear
  @Named var own: Linear
  @Named("maybe") var optional: Linear?
  @Named("list") var list: [Linear]
  @Named var any: Module
  let plain: Linear

  override init() {
    var random = RandomSource(seed: 1)
    plain = Linear(2, 2, random: &random)
    super.init()
    dotted = Linear(2, 2, random: &random)
    own = Linear(2, 2, random: &random)
    optional = Linear(2, 2, random: &random)
    list = [Linear(2, 2, random: &random), Linear(2, 2, random: &random)]
    any = Norm(2, kind: .rms)
  }
}

private func block(_ change: (inout BlockConfiguration) -> Void = { _ in }) -> TransformerBlock {
  var random = RandomSource(seed: 3)
  var c = BlockConfiguration(
    attention: AttentionConfiguration(width: 16, headCount: 4, keyValueHeadCount: 2, bias: true),
    feedForwardWidth: 24, feedForward: .swiglu, feedForwardBias: true, norm: .rms, normPlacement: .pre)
  change(&c)
  return TransformerBlock(c, standardDeviation: 0.3, outputDeviation: 0.3, random: &random)
}

@Suite struct ReplacementTests {
  @Test func modulesAreNamed() throws {
    let holder = Holder()
    let paths = ["self_attn.proj", "own", "maybe", "list.0", "list.1", "any", "plain"]
    #expect(holder.children().map(\.path) == paths)
    #expect(holder.leafModules().map(\.path) == paths)
    let block = block()
    #expect(block.namedModules().map(\.path).prefix(3) == ["self_attn", "self_attn.q_proj", "self_attn.k_proj"])
    #expect(!block.leafModules().map(\.path).contains("self_attn"))
    #expect(try block.module(at: "mlp.down_proj") === block.feedForward.down)
  }

  @Test(arguments: ["self_attn.proj", "own", "maybe", "list.0", "list.1", "any"]) func replaces(_ path: String) throws {
    let holder = Holder()
    _ = holder.parameters()  // what is known of the old module must not stay
    var random = RandomSource(seed: 2)
    let new = Linear(3, 5, bias: false, random: &random)
    try holder.replace(path, with: new)
    #expect(try holder.module(at: path) === new)
    let parameter = try #require(holder.parameters().first { $0.name == path + ".weight" })
    #expect(parameter.value.shape == [5, 3])
    #expect(!holder.parameters().contains { $0.name == path + ".bias" })
    #expect(holder.parameters().map(\.name).filter { !$0.hasPrefix(path) }.count == (path == "any" ? 12 : 11))
  }

  @Test func errorsSayWhatToDo() throws {
    let holder = Holder()
    var random = RandomSource(seed: 2)
    let (layer, norm) = (Linear(2, 2, random: &random), Norm(2, kind: .rms))
    func problem(_ modules: [String: Module]) -> String? {
      let error = #expect(throws: ModuleError.self) { try holder.update(modules: modules) }
      return error?.description
    }
    #expect(problem(["lst.0": layer]) == "there is no module 'lst.0': did you mean 'list.0'?")
    #expect(problem(["proj": layer]) == "there is no module 'proj': did you mean 'self_attn.proj'?")
    #expect(problem(["list.2": layer])?.contains("there is no module 'list.2'") == true)
    #expect(
      problem(["plain": layer]) == "'plain' cannot be replaced: declare the property that holds it with @Named")
    #expect(problem(["own": norm]) == "'own' holds a Linear, which a Norm is not")
    #expect(problem(["maybe": norm]) == "'maybe' holds a Linear, which a Norm is not")
    #expect(problem(["list.1": norm]) == "'list.1' holds a Linear, which a Norm is not")
    #expect(Module().children().isEmpty)
    #expect(throws: ModuleError.noModule(path: "x", nearest: nil)) { try Module().replace("x", with: layer) }
    // All or none.
    let before = holder.namedModules().map { ObjectIdentifier($0.module) }
    #expect(problem(["list.0": layer, "own": norm]) != nil)
    #expect(holder.namedModules().map { ObjectIdentifier($0.module) } == before)
    let outer = block()
    #expect(throws: ModuleError.overlapping(path: "mlp.up_proj", outer: "mlp")) {
      try outer.update(modules: ["mlp": outer.feedForward, "mlp.up_proj": layer])
    }
  }

  /// Whoever holds a part of the replaced path sees the change; a property may be set as well.
  @Test func memoriesFollow() throws {
    let block = block()
    let names = block.parameters().map(\.name)
    block.attention.query.bias = nil
    #expect(block.parameters().map(\.name) == names.filter { $0 != "self_attn.q_proj.bias" })
    var random = RandomSource(seed: 2)
    block.attention.query = Linear(16, 16, random: &random)
    #expect(block.parameters().map(\.name) == names)
    #expect(
      block.parameters().first { $0.name == "self_attn.q_proj.weight" }?.value.array()
        == block.attention.query.weight.array())
  }

  @Test func newLayersComeAsTheyAre() throws {
    let block = block()
    block.freeze()
    #expect(block.trainableParameters().isEmpty)
    var random = RandomSource(seed: 2)
    try block.replace("self_attn.q_proj", with: LowRank(block.attention.query, random: &random))
    #expect(
      block.trainableParameters().map(\.name)
        == ["self_attn.q_proj.lora_A.weight", "self_attn.q_proj.lora_B.weight"])
    block.unfreeze { $0.hasSuffix("layernorm.weight") }
    #expect(block.trainableParameters().count == 4)
    block.freeze { !$0.contains("lora") }
    #expect(block.trainableParameters().count == 2)
    block.apply { .full($0.value.shape, 0.5) }
    #expect(block.parameters().allSatisfy { $0.value.array().allSatisfy { $0 == 0.5 } })
  }

  private static let replacements: [[String]] = [
    ["self_attn.q_proj"], ["self_attn.v_proj", "mlp.gate_proj"], ["mlp.up_proj"],
    ["self_attn.o_proj", "mlp.down_proj"],
    [
      "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
      "mlp.down_proj",
    ],
  ]

  /// A replaced layer is called, in training and with a cache; layers that compute the same give the same results and
  /// gradients as the fused products.
  @Test(arguments: replacements, [false, true]) func fusedPathsStepAside(_ paths: [String], headNorm: Bool) throws {
    func make() -> TransformerBlock { block { $0.attention.headNormEpsilon = headNorm ? 1e-5 : nil } }
    let (plain, changed) = (make(), make())
    var counting: [Counting] = []
    for path in paths {
      counting.append(Counting(try #require(changed.module(at: path) as? Linear)))
      try changed.replace(path, with: counting.last!)
    }
    var random = RandomSource(seed: 4)
    let (x, upstream) = (random.normal([2, 6, 16]), random.normal([2, 6, 16]))
    let rotary = RotaryTable(frequencies: rotaryFrequencies(size: 4, base: 100).frequencies, positions: 8)
    func run(_ block: TransformerBlock) -> (Tensor, Gradients) {
      valueAndGradient(of: block) { block in
        var none: RandomSource?
        return (block(x, rotary: rotary, random: &none) * upstream).sum()
      }
    }
    let (expected, actual) = (run(plain), run(changed))
    #expect(counting.allSatisfy { $0.calls == 1 })
    expectClose(actual.0, expected.0, tolerance: 1e-5)
    #expect(actual.1.names == expected.1.names)
    for name in expected.1.names {
      expectClose(try #require(actual.1[name]), try #require(expected.1[name]), tolerance: 2e-5, name)
    }

    func read(_ block: TransformerBlock) -> Tensor {
      let cache = KeyValueCache(block.configuration.attention, layers: 1, type: .float32)
      let step = cache.extend([(cache.add(), 6)])
      var none: RandomSource?
      return withoutGradient { block(x[0..<1], rotary: rotary, cache: step.layer(0), random: &none) }
    }
    expectClose(read(changed), read(plain), tolerance: 1e-5)
    #expect(counting.allSatisfy { $0.calls == 2 })
  }

  /// A layer that adds something is heard: the result is that of a merged weight.
  @Test func adaptersAreHeard() throws {
    let (adapted, merged) = (block(), block())
    var random = RandomSource(seed: 5)
    for path in ["self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj"] {
      let adapter = LowRank(try #require(adapted.module(at: path) as? Linear), random: &random)
      try adapted.replace(path, with: adapter)
      let layer = try #require(merged.module(at: path) as? Linear)
      layer.weight = layer.weight + adapter.b.weight.matmul(adapter.a.weight)
    }
    var none: RandomSource?
    let x = random.normal([1, 5, 16])
    let difference = adapted(x, random: &none) - merged(x, random: &none)
    expectClose(adapted(x, random: &none), merged(x, random: &none), tolerance: 1e-5)
    #expect(difference.shape == x.shape)
    #expect(zip(adapted(x, random: &none).array(), block()(x, random: &none).array()).contains { abs($0 - $1) > 0.01 })
  }

  @Test(arguments: [Activation.tanh, .relu]) func perceptronsStepAside(_ activation: Activation) throws {
    var random = RandomSource(seed: 6)
    let network = MultilayerPerceptron([3, 5, 4, 2], activation: activation, random: &random)
    let x = random.normal([7, 3])
    let expected = network(x)
    let layer = Counting(network.layers[1])
    try network.replace("layers.1", with: layer)
    expectClose(network(x), expected, tolerance: 1e-5)
    #expect(layer.calls == 1)
  }
}
