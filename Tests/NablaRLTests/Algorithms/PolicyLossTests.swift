import NablaFormats
import NablaRL
import NablaTensor
import Testing

/// The losses of PPO and A2C and every gradient, against torch in float64 (Tests/Fixtures/generate/policy_gradients.py).
@Suite struct PolicyLossTests {
  static let fixture = try! SafetensorsFile(path: fixturePath("policy_gradients.safetensors")).tensors()

  /// The network of a case, with its parameters.
  private static func network(_ name: String) throws -> (ActorCritic, [String: Tensor]) {
    let isContinuous = name.hasPrefix("continuous")
    var architecture = PolicyArchitecture(
      observationCount: 5,
      actionSpace: isContinuous ? .continuous(low: [-1, -1], high: [1, 1]) : .discrete(3))
    architecture.hiddenWidths = [16, 12]
    architecture.sharesNetwork = name == "discrete_shared"
    var random = RandomSource(seed: 1)
    let network = ActorCritic(architecture, random: &random)
    let prefix = "\(name).parameter."
    var parameters: [String: Tensor] = [:]
    for (key, value) in fixture where key.hasPrefix(prefix) {
      parameters[String(key.dropFirst(prefix.count))] = value
    }
    try network.load(parameters)
    return (network, parameters)
  }

  @Test(arguments: ["discrete", "discrete_clip_v", "discrete_shared", "continuous", "continuous_a2c"])
  func lossAndGradients(_ name: String) throws {
    func tensor(_ key: String) throws -> Tensor { try #require(Self.fixture["\(name).\(key)"]) }
    let (network, parameters) = try Self.network(name)
    let (parts, gradients) = network.lossAndGradients(
      observations: try tensor("observations"), actions: try tensor("actions"),
      oldLogProbabilities: name == "continuous_a2c" ? nil : try tensor("old_log_probabilities"),
      advantages: try tensor("advantages"), returns: try tensor("returns"), oldValues: try tensor("old_values"),
      clipRange: 0.2, valueClipRange: name == "discrete_clip_v" ? 0.3 : 0, valueCoefficient: 0.5,
      entropyCoefficient: 0.01)
    for (key, value) in [
      ("loss", parts.loss), ("policy_loss", parts.policyLoss), ("value_loss", parts.valueLoss),
      ("entropy", parts.entropy), ("approximate_kl", parts.approximateKL), ("clip_fraction", parts.clipFraction),
    ] { #expect(abs(value - Double(try tensor(key).item())) < 5e-6, "\(key)") }
    for key in parameters.keys {
      let expected = try tensor("gradient.\(key)").array(of: Double.self)
      let actual = try #require(gradients[key]).array(of: Double.self)
      for (a, b) in zip(actual, expected) { #expect(abs(a - b) < 5e-6, "gradient of \(key)") }
    }
  }

  /// The formula in PPO.swift and A2C.swift, made of operations, gives the numbers of its fused twin.
  @Test(arguments: ["discrete", "discrete_clip_v", "discrete_shared", "continuous", "continuous_a2c"])
  func formulaEqualsTheFusedLoss(_ name: String) throws {
    func tensor(_ key: String) throws -> Tensor { try #require(Self.fixture["\(name).\(key)"]).cast(.float32) }
    let (network, parameters) = try Self.network(name)
    let hasRatio = name != "continuous_a2c"
    var settings = PPOConfiguration()
    (settings.valueClipRange, settings.entropyCoefficient) = (name == "discrete_clip_v" ? 0.3 : 0, 0.01)
    let actions = try #require(Self.fixture["\(name).actions"])
    let (loss, gradients) = try network.formulaLossAndGradients(
      observations: tensor("observations"), actions: name.hasPrefix("continuous") ? actions.cast(.float32) : actions,
      oldLogProbabilities: hasRatio ? tensor("old_log_probabilities") : nil, advantages: tensor("advantages"),
      returns: tensor("returns"), oldValues: tensor("old_values"), clipRange: 0.2, settings)
    #expect(abs(loss - Double(try tensor("loss").item())) < 5e-6)
    for key in parameters.keys {
      let expected = try tensor("gradient.\(key)").array(of: Double.self)
      let actual = try #require(gradients[key]).array(of: Double.self)
      for (a, b) in zip(actual, expected) { #expect(abs(a - b) < 5e-6, "gradient of \(key)") }
    }
  }

  /// The policy must not be told what an out-of-range ratio would still gain, and must be told what it would lose.
  @Test func clippingStopsGainsOnly() throws {
    var architecture = PolicyArchitecture(observationCount: 1, actionSpace: .discrete(2))
    architecture.hiddenWidths = []
    var random = RandomSource(seed: 1)
    let network = ActorCritic(architecture, random: &random)
    // π is uniform: ln π = -ln 2; a ratio of 2 comes from an old probability of 1/4.
    try network.load([
      "policy.layers.0.weight": .zeros([2, 1]), "policy.layers.0.bias": .zeros([2]),
      "value.layers.0.weight": .zeros([1, 1]), "value.layers.0.bias": .zeros([1]),
    ])
    for (old, advantage, slope) in [
      (0.25, 1, 0), (0.25, -1, 1), (1, 1, -0.25), (1, -1, 0), (0.5, 1, -0.5), (0.5, -1, 0.5),
    ] as [(Float, Float, Double)] {
      let oldLog = Tensor([old]).log()
      let (_, gradients) = network.lossAndGradients(
        observations: .zeros([1, 1]), actions: Tensor([Int32(0)]), oldLogProbabilities: oldLog,
        advantages: Tensor([advantage]), returns: [0], oldValues: [0], clipRange: 0.2, valueClipRange: 0,
        valueCoefficient: 0.5, entropyCoefficient: 0)
      // dL/dz₀ = slope of L with ln π · (1 - ½).
      let bias = try #require(gradients["policy.layers.0.bias"]).array(of: Double.self)
      #expect(abs(bias[0] - slope) < 1e-6 && abs(bias[1] + slope) < 1e-6, "old \(old), advantage \(advantage)")
    }
  }
}
