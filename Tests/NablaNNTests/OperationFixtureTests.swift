import Glibc
import NablaNN
import NablaTensor
import Testing

/// Operations that layers are made of, against torch: forward and every gradient.
@Suite struct OperationFixtureTests {
  @Test(arguments: ["layer", "layer_offset", "rms", "rms_odd", "group", "group_2d", "group_instance"])
  func norm(_ name: String) throws {
    let fixture = try Fixture("norms")
    let isRMS = name.hasPrefix("rms")
    // Near 100 a float32 has an absolute error of 4e-6, all of which stays when 100 is subtracted.
    let tolerance = name == "layer_offset" ? 5e-5 : Tolerance.operation
    try fixture.check(name, inputs: isRMS ? ["input", "weight"] : ["input", "weight", "bias"], tolerance: tolerance) {
      if isRMS { return $0[0].rmsNorm(weight: $0[1], epsilon: name == "rms" ? 1e-6 : 1e-5) }
      if name.hasPrefix("layer") { return $0[0].layerNorm(weight: $0[1], bias: $0[2]) }
      let groups = Int(fixture.tensors["\(name).options"]!.array(of: Int32.self)[0])
      return $0[0].groupNorm(groups: groups, weight: $0[1], bias: $0[2])
    }
  }

  @Test(arguments: ["layer", "rms_odd"]) func normLayer(_ name: String) throws {
    let fixture = try Fixture("norms")
    let norm = Norm(try fixture["\(name).weight"].count, kind: name == "layer" ? .layer : .rms)
    var state = ["weight": try fixture["\(name).weight"]]
    state["bias"] = fixture.tensors["\(name).bias"]
    try norm.load(state)
    expectClose(norm(try fixture["\(name).input"]), try fixture["\(name).output"])
    #expect(norm(try fixture["\(name).input"], output: .bfloat16).dtype == .bfloat16)
  }

  @Test(arguments: ["relu", "gelu", "gelu_tanh", "silu", "softplus", "tanh", "sigmoid"])
  func activation(_ name: String) throws {
    try Fixture("activations").check(name, inputs: ["input"]) { inputs in
      let x = inputs[0]
      return switch name {
      case "relu": x.relu()
      case "gelu": x.gelu()
      case "gelu_tanh": x.geluTanh()
      case "silu": x.silu()
      case "softplus": x.softplus()
      case "tanh": x.tanh()
      default: x.sigmoid()
      }
    }
  }

  @Test(arguments: ["tanh", "tanh_rows", "relu"])
  func perceptron(_ name: String) throws {
    let layers = 0..<3
    let inputs = ["input"] + layers.map { "weight_\($0)" } + layers.map { "bias_\($0)" }
    try Fixture("perceptron").check(name, inputs: inputs) { inputs in
      inputs[0].perceptron(
        Array(inputs[1...3]), Array(inputs[4...6]), activation: name == "relu" ? .relu : .tanh)
    }
  }

  @Test(arguments: ["", "_large", "_smoothing", "_ignore", "_smoothing_ignore", "_z"])
  func crossEntropy(_ kind: String) throws {
    let fixture = try Fixture("losses")
    let targets = try fixture["cross_entropy\(kind).targets"]
    let options = CrossEntropyOptions(
      labelSmoothing: kind.contains("smoothing") ? 0.1 : 0, zLoss: kind == "_z" ? 1e-4 : 0)
    try fixture.check("cross_entropy\(kind)", inputs: ["logits"]) { $0[0].crossEntropy(targets, options: options) }
    // The fused form, with the unit matrix for an output layer: the logits are the hidden states.
    var unit = [Float](repeating: 0, count: 121)
    for i in 0..<11 { unit[i * 12] = 1 }
    try fixture.check("cross_entropy\(kind)", inputs: ["logits"]) {
      $0[0].linearCrossEntropy(Tensor(unit, [11, 11]), targets: targets, options: options)
    }
  }

  @Test(arguments: ["mse", "bce_logits", "huber", "huber_half"])
  func regressionLoss(_ name: String) throws {
    try Fixture("losses").check(name, inputs: ["prediction", "target"]) {
      switch name {
      case "mse": $0[0].meanSquaredError($0[1])
      case "bce_logits": $0[0].binaryCrossEntropyWithLogits($0[1])
      default: $0[0].huberLoss($0[1], delta: name == "huber" ? 1 : 0.5)
      }
    }
  }

  @Test(arguments: [RotaryPairing.half, .interleaved], ["", "_offset"])
  func rotary(_ pairing: RotaryPairing, _ suffix: String) throws {
    let fixture = try Fixture("rotary")
    let name = pairing.rawValue + suffix
    let start = Int(try fixture["\(name).positions"].array(of: Int32.self)[0])
    let table = RotaryTable(
      frequencies: rotaryFrequencies(size: 8, base: 10_000).frequencies, positions: start + 5, pairing: pairing)
    try fixture.check(name, inputs: ["input"]) { inputs in
      // [B, H, T, D] → [B, T, H·D] and back.
      inputs[0].transposed(0, 2, 1, 3).reshaped([2, 5, 24]).rotary(table, heads: 3, headSize: 8, offset: start)
        .reshaped([2, 5, 3, 8]).transposed(0, 2, 1, 3)
    }
  }

  /// The frequencies of `rope_scaling`, which transformers computes in float32.
  @Test(arguments: [
    "default", "linear", "yarn", "yarn-ramp", "yarn-mscale", "yarn-attention", "longrope-short", "longrope-long",
    "llama3",
  ])
  func rotaryScaling(_ kind: String) throws {
    let fixture = try Fixture("rotary")
    let expected = try fixture["scaling.\(kind).inverse_frequencies"].array(of: Double.self)
    let scaling: RotaryScaling =
      switch kind {
      case "linear": .linear(factor: 4)
      case "yarn": .yarn(factor: 4, betaFast: 32, betaSlow: 1, originalContext: 2048, attentionFactor: nil)
      case "yarn-ramp":
        .yarn(
          factor: 4, betaFast: 24, betaSlow: 0.7, originalContext: 2048, attentionFactor: nil, truncates: false)
      case "yarn-mscale":
        .yarn(
          factor: 4, betaFast: 32, betaSlow: 1, originalContext: 2048,
          attentionFactor: yarnAttentionFactor(4, weight: 0.707) / yarnAttentionFactor(4, weight: 1.2))
      case "yarn-attention":
        .yarn(factor: 4, betaFast: 32, betaSlow: 1, originalContext: 2048, attentionFactor: 1.3)
      case "longrope-short", "longrope-long":
        .longrope(
          shortFactors: [1, 1.1, 1.2, 1.3], longFactors: [1, 2, 4, 8.5], originalContext: 2048, extendedContext: 8192,
          attentionFactor: (1 + log(4.0) / log(2048.0)).squareRoot())
      case "llama3":
        .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192)
      default: .none
      }
    let (frequencies, scale) = rotaryFrequencies(
      size: 2 * expected.count, base: kind == "llama3" ? 500_000 : 10_000, scaling: scaling,
      context: kind == "longrope-long" ? 2049 : 2048)
    #expect(frequencies.count == expected.count)
    for (a, b) in zip(frequencies, expected) { #expect(abs(a - b) <= 2e-6 * b) }
    #expect(abs(scale - Double(try fixture["scaling.\(kind).attention_factor"].item())) < 1e-6)
  }

  @Test func sinusoidalPositionsByHand() {
    let table = sinusoidalPositions(3, width: 4)
    // Pair 0 turns by 1 radian a position, pair 1 by 10000^(-2/4) = 0.01.
    let expected: Tensor = [
      [0, 1, 0, 1], [0.841470985, 0.540302306, 0.009999833, 0.999950000],
      [0.909297427, -0.416146837, 0.019998667, 0.999800007],
    ]
    expectClose(table, expected, tolerance: 1e-7)
  }
}
