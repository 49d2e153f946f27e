import Glibc
import NablaNN
import NablaTensor
import Testing

/// Attention in float64 by the formula, for one layer: q, k, v projections of x and context, softmax over the keys that
/// `sees` allows, times v, output projection. Positions turn by `turn` (rotary, half pairing) if it is given.
private func naiveAttention(
  _ layer: Attention, _ x: Tensor, context: Tensor? = nil, frequencies: [Double]? = nil,
  sees: (_ query: Int, _ key: Int) -> Bool
) -> [Double] {
  let c = layer.configuration
  let (h, g, d) = (c.headCount, c.keyValueHeadCount, c.headSize)
  func matrix(_ t: Tensor) -> [Double] { t.array(of: Double.self) }
  func project(_ input: [Double], _ rows: Int, _ linear: Linear) -> [Double] {
    let (w, b) = (matrix(linear.weight), linear.bias.map(matrix))
    let (n, m) = (linear.weight.shape[1], linear.weight.shape[0])
    return (0..<rows).flatMap { r in
      (0..<m).map { o in (b?[o] ?? 0) + (0..<n).reduce(0) { $0 + input[r * n + $1] * w[o * n + $1] } }
    }
  }
  func turned(_ input: [Double], _ time: Int, _ heads: Int) -> [Double] {
    guard let frequencies else { return input }
    var y = input
    for r in 0..<input.count / (heads * d) {
      for head in 0..<heads {
        for (i, frequency) in frequencies.enumerated() {
          let (a, b) = (r * heads * d + head * d + i, r * heads * d + head * d + i + d / 2)
          let angle = Double(r % time) * frequency
          y[a] = input[a] * cos(angle) - input[b] * sin(angle)
          y[b] = input[b] * cos(angle) + input[a] * sin(angle)
        }
      }
    }
    return y
  }
  let memory = context ?? x
  let (batch, tq, tk) = (x.shape[0], x.shape[1], memory.shape[1])
  let q = turned(project(matrix(x), batch * tq, layer.query), tq, h)
  let k = turned(project(matrix(memory), batch * tk, layer.key), tk, g)
  let v = project(matrix(memory), batch * tk, layer.value)
  var mixed = [Double](repeating: 0, count: batch * tq * h * d)
  for b in 0..<batch {
    for head in 0..<h {
      let group = head / (h / g)
      for i in 0..<tq {
        let row = ((b * tq + i) * h + head) * d
        let scores = (0..<tk).map { j in
          sees(i, j)
            ? exp(
              (0..<d).reduce(0) { $0 + q[row + $1] * k[((b * tk + j) * g + group) * d + $1] } / Double(d).squareRoot())
            : 0
        }
        let total = scores.reduce(0, +)
        for j in 0..<tk where scores[j] > 0 {
          for e in 0..<d { mixed[row + e] += scores[j] / total * v[((b * tk + j) * g + group) * d + e] }
        }
      }
    }
  }
  return project(mixed, batch * tq, layer.output)
}

@Suite struct AttentionLayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var heads = 4
    var keyValueHeads: Int
    var headSize = 8
    var window: Int?
    var bias = false
    var rotary = false
    var causal = true
    var testDescription: String {
      "heads \(heads)/\(keyValueHeads), size \(headSize), window \(window ?? 0), bias \(bias), rotary \(rotary), "
        + "causal \(causal)"
    }
  }

  static let cases = [
    Case(keyValueHeads: 4), Case(keyValueHeads: 2, bias: true), Case(keyValueHeads: 1, headSize: 6, rotary: true),
    Case(keyValueHeads: 2, window: 3, rotary: true), Case(keyValueHeads: 4, causal: false),
  ]

  func make(_ c: Case) -> (layer: Attention, x: Tensor, rotary: RotaryTable?) {
    var random = RandomSource(seed: 11)
    let configuration = AttentionConfiguration(
      width: 20, headCount: c.heads, keyValueHeadCount: c.keyValueHeads, headSize: c.headSize, bias: c.bias,
      causal: c.causal, window: c.window)
    let layer = Attention(configuration, standardDeviation: 0.4, outputDeviation: 0.4, random: &random)
    for linear in [layer.query, layer.key, layer.value, layer.output] where linear.bias != nil {
      linear.bias = random.normal(linear.bias!.shape)
    }
    let rotary =
      c.rotary
      ? RotaryTable(frequencies: rotaryFrequencies(size: c.headSize, base: 100).frequencies, positions: 16) : nil
    return (layer, random.normal([2, 9, 20]), rotary)
  }

  private func sees(_ c: Case) -> (Int, Int) -> Bool {
    { i, j in (!c.causal || j <= i) && (c.window.map { j > i - $0 } ?? true) }
  }

  @Test(arguments: cases) func matchesTheFormula(_ c: Case) {
    let (layer, x, rotary) = make(c)
    let frequencies = c.rotary ? rotaryFrequencies(size: c.headSize, base: 100).frequencies : nil
    let expected = naiveAttention(layer, x, frequencies: frequencies, sees: sees(c))
    expectClose(layer(x, rotary: rotary), Tensor(expected, [2, 9, 20]), tolerance: Tolerance.block)
    var random = RandomSource(seed: 2)
    let residual = random.normal([2, 9, 20])
    expectClose(
      layer(x, rotary: rotary, residual: residual), Tensor(expected, [2, 9, 20]).cast(.float32) + residual,
      tolerance: Tolerance.block, "with residual")
  }

  /// weights · V, through the output projection, is the layer itself; rows sum to 1 and hide what the mask hides.
  @Test(arguments: cases) func weightsTimesValuesAreTheOutput(_ c: Case) {
    let (layer, x, rotary) = make(c)
    let weights = layer.weights(x, rotary: rotary)
    #expect(weights.shape == [2, c.heads, 9, 9])
    let w = weights.array()
    for row in 0..<2 * c.heads * 9 {
      #expect(abs(w[row * 9..<row * 9 + 9].reduce(0, +) - 1) < 1e-5)
      for j in 0..<9 where !sees(c)(row % 9, j) { #expect(w[row * 9 + j] == 0) }
    }
    let values = layer.value(x).reshaped([2, 9, c.keyValueHeads, c.headSize]).transposed(0, 2, 1, 3)
    let perHead = (0..<c.heads).map { head -> Tensor in
      let group = head / (c.heads / c.keyValueHeads)
      return weights.slice(head..<head + 1, axis: 1).matmul(values.slice(group..<group + 1, axis: 1))
    }
    let mixed = Tensor.concatenate(perHead, axis: 1).transposed(0, 2, 1, 3).reshaped([2, 9, c.heads * c.headSize])
    expectClose(layer(x, rotary: rotary), layer.output(mixed), tolerance: Tolerance.block)
  }

  /// Padding at the end of a shorter sequence changes nothing before it.
  @Test func keyLengthsHidePadding() {
    let (layer, x, _) = make(Case(keyValueHeads: 2, causal: false))
    let padded = layer(x, keyLengths: Tensor([9, 5] as [Int32]))
    expectClose(padded[0..<1], layer(x[0..<1]), tolerance: 1e-6)
    expectClose(padded[1..<2].slice(0..<5, axis: 1), layer(x[1..<2].slice(0..<5, axis: 1)), tolerance: 1e-6)
  }

  @Test(arguments: [4, 2, 1]) func crossAttention(_ keyValueHeads: Int) {
    let (layer, x, _) = make(Case(keyValueHeads: keyValueHeads, bias: true))
    var random = RandomSource(seed: 13)
    let context = random.normal([2, 5, 20])
    let expected = naiveAttention(layer, x, context: context) { _, _ in true }
    expectClose(layer(x, context: context), Tensor(expected, [2, 9, 20]), tolerance: Tolerance.block)
    // Both sides get gradients, those of central differences.
    let upstream = random.normal([2, 9, 20])
    let (_, gradients) = valueAndGradient(at: [x, context]) { (layer($0[0], context: $0[1]) * upstream).sum() }
    func loss(_ x: Tensor, _ context: Tensor) -> Double {
      zip(naiveAttention(layer, x, context: context) { _, _ in true }, upstream.array(of: Double.self))
        .reduce(0) { $0 + $1.0 * $1.1 }
    }
    for place in [0, 17, 77] {
      for side in 0..<2 {
        func moved(_ step: Double) -> Double {
          var values = [x, context][side].array(of: Double.self)
          values[place] += step
          let tensor = Tensor(values, [x, context][side].shape)
          return side == 0 ? loss(tensor, context) : loss(x, tensor)
        }
        let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5
        #expect(abs(Double(gradients[side].array()[place]) - expected) < 1e-3 * (1 + abs(expected)))
      }
    }
  }
}
