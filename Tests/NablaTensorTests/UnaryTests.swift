import Glibc
import NablaTensor
import Testing

/// A function of one number: ours, the reference's, and where it is smooth.
struct UnaryCase: Sendable, CustomTestStringConvertible {
  let name: String
  let ours: @Sendable (Tensor) -> Tensor
  let reference: @Sendable (Double) -> Double
  var range = -4.0...4.0
  var testDescription: String { name }

  static let all: [UnaryCase] = [
    .init(name: "negate", ours: { -$0 }, reference: { -$0 }),
    .init(name: "exp", ours: { $0.exp() }, reference: { exp($0) }),
    .init(name: "log", ours: { $0.log() }, reference: { log($0) }, range: 0.1...5),
    .init(name: "squareRoot", ours: { $0.squareRoot() }, reference: { $0.squareRoot() }, range: 0.1...5),
    .init(name: "reciprocal", ours: { $0.reciprocal() }, reference: { 1 / $0 }, range: 0.3...5),
    .init(name: "square", ours: { $0.square() }, reference: { $0 * $0 }),
    .init(name: "abs", ours: { $0.abs() }, reference: { abs($0) }),
    .init(name: "sin", ours: { $0.sin() }, reference: { sin($0) }),
    .init(name: "cos", ours: { $0.cos() }, reference: { cos($0) }),
    .init(name: "tanh", ours: { $0.tanh() }, reference: { tanh($0) }),
    .init(name: "sigmoid", ours: { $0.sigmoid() }, reference: { 1 / (1 + exp(-$0)) }),
    .init(name: "softplus", ours: { $0.softplus() }, reference: { log1p(exp($0)) }),
    .init(name: "logSigmoid", ours: { $0.logSigmoid() }, reference: { -log1p(exp(-$0)) }),
    .init(name: "relu", ours: { $0.relu() }, reference: { max($0, 0) }),
    .init(name: "gelu", ours: { $0.gelu() }, reference: { $0 * 0.5 * erfc(-$0 / 2.0.squareRoot()) }),
    .init(
      name: "geluTanh", ours: { $0.geluTanh() },
      reference: { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
    .init(name: "silu", ours: { $0.silu() }, reference: { $0 / (1 + exp(-$0)) }),
    .init(name: "clamped", ours: { $0.clamped(to: -1.25...2.5) }, reference: { min(max($0, -1.25), 2.5) }),
    .init(name: "scaled", ours: { $0 * 3 - 2 }, reference: { $0 * 3 - 2 }),
  ]
}

@Suite("Functions of one number")
struct UnaryTests {
  static let shapes: [Shape] = [[], [1], [0], [7], [3, 5], [2, 0, 3], [1, 1, 13], [2, 3, 2, 2, 1, 2], [40_009]]

  @Test("value and gradient", arguments: UnaryCase.all, shapes)
  func valueAndSlope(_ function: UnaryCase, _ shape: Shape) {
    if shape.elementCount > 1000 {
      // The reference of a large input, elementwise, needs no differences of the whole.
      let x = Tensor.numbers(shape, in: function.range)
      expectClose(function.ours(x), Reference(x).map(function.reference))
      return
    }
    checkGradient(
      of: { function.ours($0[0]) }, inputs: [.numbers(shape, seed: 3, in: function.range)],
      reference: { $0[0].map(function.reference) })
  }

  @Test("value and gradient in bfloat16", arguments: UnaryCase.all)
  func bfloat16(_ function: UnaryCase) {
    checkGradientInBfloat16(
      of: { function.ours($0[0]) }, inputs: [.numbers([3, 331], seed: 5, in: function.range)],
      reference: { $0[0].map(function.reference) })
  }

  /// Relative errors where absolute ones would hide everything: far tails, near zero, over the whole range.
  @Test(
    "relative precision",
    arguments: [
      (UnaryCase.all.first { $0.name == "exp" }!, -87.0...88.0, 5e-7),
      (UnaryCase.all.first { $0.name == "log" }!, 1e-3...1e4, 5e-7),
      (UnaryCase.all.first { $0.name == "tanh" }!, -0.01...0.01, 1e-6),
      (UnaryCase.all.first { $0.name == "tanh" }!, -9.0...9.0, 1e-6),
      (UnaryCase.all.first { $0.name == "sigmoid" }!, -80.0...20.0, 1e-6),
      (UnaryCase.all.first { $0.name == "softplus" }!, -80.0...20.0, 2e-6),
      (UnaryCase.all.first { $0.name == "softplus" }!, -17.0 ... -8.0, 2e-6),
    ])
  func relative(_ function: UnaryCase, _ range: ClosedRange<Double>, _ tolerance: Double) {
    let x = Tensor.numbers([20_011], in: range)
    let y = function.ours(x).array(of: Double.self)
    var worst = (error: 0.0, at: 0.0)
    for (u, v) in zip(x.array(of: Double.self), y) {
      let expected = function.reference(u)
      // Near its zero ln x is as exact as float32 can be, in absolute terms.
      let error = abs(v - expected) / max(abs(expected), function.name == "log" ? 0.1 : 1e-38)
      if !(error <= worst.error) { worst = (error, u) }
    }
    #expect(worst.error <= tolerance, "\(function.name)(\(worst.at)) is off by \(worst.error)")
  }

  @Test("gradients at kinks are those documented")
  func kinks() {
    let zero = Tensor([Float(0), 1, -1])
    #expect(valueAndGradient(at: [zero]) { $0[0].abs().sum() }.gradients[0].array() == [Float(0), 1, -1])
    #expect(valueAndGradient(at: [zero]) { $0[0].relu().sum() }.gradients[0].array() == [Float(0), 1, 0])
    let edges = Tensor([Float(-2), -1, 0, 1, 2])
    #expect(
      valueAndGradient(at: [edges]) { $0[0].clamped(to: -1...1).sum() }.gradients[0].array() == [Float(0), 1, 1, 1, 0])
  }
}

@Suite("Infinities, NaN and large numbers")
struct SpecialValueTests {
  private static let inf = Float.infinity

  private func values(_ input: [Float], _ function: (Tensor) -> Tensor) -> [Float] { function(Tensor(input)).array() }

  @Test("exp")
  func exponential() {
    let y = values([-Self.inf, -1e30, -104, -0.0, 88, 88.8, 1e30, Self.inf, .nan]) { $0.exp() }
    #expect(y[0] == 0 && y[1] == 0 && y[2] == 0 && y[3] == 1)
    #expect(abs(y[4] / 1.6516362549940018e38 - 1) < 1e-6)
    #expect(y[5] == Self.inf && y[6] == Self.inf && y[7] == Self.inf && y[8].isNaN)
  }

  @Test("log")
  func logarithm() {
    let y = values([0, -0.0, -1, -Self.inf, Self.inf, .nan, 1, 0x1p-133, .leastNonzeroMagnitude]) { $0.log() }
    #expect(y[0] == -Self.inf && y[1] == -Self.inf && y[2].isNaN && y[3].isNaN && y[4] == Self.inf && y[5].isNaN)
    #expect(y[6] == 0)
    #expect(abs(y[7] - -92.18857501) < 1e-4 && abs(y[8] - -103.2789299) < 1e-4)
  }

  @Test("tanh and sigmoid saturate and keep NaN")
  func saturation() {
    let x: [Float] = [-Self.inf, -1e30, -50, 50, 1e30, Self.inf]
    #expect(values(x) { $0.tanh() } == [-1, -1, -1, 1, 1, 1])
    let s = values(x) { $0.sigmoid() }
    #expect(s[0] == 0 && s[1] == 0 && abs(s[2] / 1.9287498e-22 - 1) < 1e-6 && s[3...] == [1, 1, 1])
    for function in [
      Tensor.tanh, Tensor.sigmoid, Tensor.softplus, Tensor.gelu, Tensor.geluTanh, Tensor.silu,
      Tensor.relu, Tensor.exp, Tensor.log, Tensor.squareRoot, Tensor.abs,
    ] {
      #expect(values([.nan, 1]) { function($0)() }[0].isNaN)
    }
  }

  @Test("softplus is x far right and 0 far left")
  func softplus() {
    let y = values([-Self.inf, -1e30, 1e30, Self.inf, 100]) { $0.softplus() }
    #expect(y == [0, 0, 1e30, Self.inf, 100])
    #expect(values([Self.inf, -1e30]) { $0.logSigmoid() } == [0, -1e30])
  }

  @Test("activations far from zero", arguments: ["gelu", "geluTanh", "silu"])
  func activations(_ name: String) {
    let function = UnaryCase.all.first { $0.name == name }!
    let x: [Float] = [-1e30, -1e6, -1000, -30, 30, 1000, 1e6, 1e30]
    let y = values(x) { function.ours($0) }
    for i in 0..<4 { #expect(abs(y[i]) <= 1e-10, "\(name)(\(x[i])) = \(y[i])") }
    for i in 4..<8 { #expect(abs(y[i] / x[i] - 1) <= 1e-6, "\(name)(\(x[i])) = \(y[i])") }
    let slope = valueAndGradient(at: [Tensor(x)]) { function.ours($0[0]).sum() }.gradients[0].array(of: Float.self)
    for i in 0..<4 { #expect(abs(slope[i]) <= 1e-6, "\(name)'(\(x[i])) = \(slope[i])") }
    for i in 4..<8 { #expect(abs(slope[i] - 1) <= 1e-6, "\(name)'(\(x[i])) = \(slope[i])") }
  }

  @Test("the gradient of -x is -1 at infinity too")
  func negation() {
    let (_, gradients) = valueAndGradient(at: [Tensor([Self.inf, -Self.inf, .nan, 1])]) { inputs in
      (-inputs[0]).clamped(to: -1...1).sum() * 0 + (-inputs[0] * [1, 2, 3, 4]).sum()
    }
    #expect(gradients[0].array() == [-1, -2, -3, -4] as [Float])
  }

  @Test("maximum and minimum let NaN through")
  func extrema() {
    let (a, b) = (Tensor([Float.nan, 1, .nan, 2]), Tensor([Float(1), .nan, .nan, 3]))
    for y in [Tensor.maximum(a, b).array(of: Float.self), Tensor.minimum(a, b).array()] {
      #expect(y[0].isNaN && y[1].isNaN && y[2].isNaN && !y[3].isNaN)
    }
    let rows = Tensor([Float(1), .nan, 2, 3, -.infinity, 5], [2, 3])
    #expect(rows.max(axis: 1).array()[0].isNaN && rows.max(axis: 1).array()[1] == 5)
    #expect(rows.min(axis: 1).array()[0].isNaN && rows.min(axis: 1).array()[1] == -.infinity)
  }

  @Test("softmax family")
  func softmax() {
    let inf = Self.inf
    // Large numbers neither overflow nor lose their differences.
    let large = Tensor([Float(1e30), 1e30, -1e30, 10_000, 10_001, 9_999], [2, 3])
    expectClose(
      large.softmax(),
      Reference([0.5, 0.5, 0, 0.24472847105479764, 0.6652409557748219, 0.09003057317038046], [2, 3]), tolerance: 1e-7)
    #expect(large.logSumExp().array()[0] == 1e30)
    // -infinity masks; a row of it gives zeros, and its logarithm.
    let masked = Tensor([-inf, 0, 0, -inf, -inf, -inf], [2, 3])
    #expect(masked.softmax().array() == [0, 0.5, 0.5, 0, 0, 0] as [Float])
    let logs = masked.logSoftmax().array(of: Float.self)
    #expect(logs[0] == -inf && abs(logs[1] + 0.6931472) < 1e-6 && logs[3...] == [-inf, -inf, -inf])
    #expect(masked.logSumExp().array()[1] == -inf)
    // NaN is never taken for a masked row.
    for row in [[Float.nan, .nan], [-inf, .nan], [1, .nan]] {
      let x = Tensor(row)
      #expect(x.softmax().array().contains { $0.isNaN } && x.logSumExp().item().isNaN)
      #expect(x.logSoftmax().array().contains { $0.isNaN })
    }
    #expect(Tensor([inf, 1]).logSumExp().item() == inf)
  }
}
