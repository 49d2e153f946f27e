import NablaTensor
import Testing

/// start · stride + offset · dilation - padding in each spatial dimension; nil outside of `sizes`.
private func place(
  _ start: ArraySlice<Int>, _ offset: [Int], _ stride: [Int], _ dilation: [Int], _ padding: [Int], in sizes: [Int]
) -> [Int]? {
  var result: [Int] = []
  for (d, first) in start.enumerated() {
    let i: Int = first * stride[d] + offset[d] * dilation[d] - padding[d]
    guard i >= 0, i < sizes[d] else { return nil }
    result.append(i)
  }
  return result
}

@Suite("Convolution")
struct ConvolutionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var input: Shape
    var weight: Shape
    var stride: SpatialPair = 1
    var padding: SpatialPair = 0
    var dilation: SpatialPair = 1
    var groups = 1
    var outputPadding: SpatialPair = 0
    var testDescription: String {
      "\(input) * \(weight) stride \(stride) padding \(padding) dilation \(dilation) groups \(groups) +\(outputPadding)"
    }
    func pairs(_ spatial: Int) -> (stride: [Int], padding: [Int], dilation: [Int], outputPadding: [Int]) {
      func sizes(_ pair: SpatialPair) -> [Int] { spatial == 1 ? [pair.width] : [pair.height, pair.width] }
      return (sizes(stride), sizes(padding), sizes(dilation), sizes(outputPadding))
    }
  }

  static let cases: [Case] = [
    Case(input: [1, 1, 1], weight: [1, 1, 1]),
    Case(input: [2, 3, 9], weight: [4, 3, 3], padding: 1),
    Case(input: [2, 4, 11], weight: [6, 2, 4], stride: 3, padding: 2, groups: 2),
    Case(input: [1, 5, 8], weight: [5, 1, 3], stride: 2, dilation: 2, groups: 5),
    Case(input: [1, 2, 5], weight: [3, 2, 5]),
    Case(input: [2, 3, 5, 4], weight: [2, 3, 3, 3], padding: 1),
    Case(input: [1, 4, 7, 6], weight: [6, 2, 3, 2], stride: 2, padding: [1, 0], groups: 2),
    Case(input: [1, 2, 8, 9], weight: [3, 2, 2, 3], stride: [1, 2], padding: [0, 2], dilation: [3, 2]),
    Case(input: [1, 17, 4, 3], weight: [19, 17, 1, 1]),
    Case(input: [2, 4, 5, 5], weight: [8, 1, 3, 3], padding: 1, groups: 4),
    Case(input: [0, 2, 5], weight: [3, 2, 3]),
    Case(input: [0, 2, 5, 5], weight: [3, 2, 3, 3]),
  ]

  /// Places (output index, kernel index) that touch each input place: the sum that defines convolution.
  static func convolve(_ x: Reference, _ w: Reference, _ bias: Reference?, _ c: Case) -> Reference {
    let spatial = x.rank - 2
    let (stride, padding, dilation, _) = c.pairs(spatial)
    let sizes = (0..<spatial).map { (d: Int) -> Int in
      let reach: Int = dilation[d] * (w.shape[2 + d] - 1)
      return (x.shape[2 + d] + 2 * padding[d] - reach - 1) / stride[d] + 1
    }
    let (perGroup, outputsPerGroup) = (w.shape[1], w.shape[0] / c.groups)
    let kernel = Reference.indices(of: Array(w.shape.dropFirst(2)))
    return Reference([x.shape[0], w.shape[0]] + sizes) { index in
      var sum = bias?.values[index[1]] ?? 0
      let first = index[1] / outputsPerGroup * perGroup
      for k in kernel {
        guard let place = place(index[2...], k, stride, dilation, padding, in: Array(x.shape[2...])) else { continue }
        for channel in 0..<perGroup { sum += w[[index[1], channel] + k] * x[[index[0], first + channel] + place] }
      }
      return sum
    }
  }

  @Test("value and gradient", arguments: cases, [false, true])
  func convolution(_ c: Case, _ bias: Bool) {
    checkGradient(
      of: {
        $0[0].convolution(
          $0[1], bias: bias ? $0[2] : nil, stride: c.stride, padding: c.padding, dilation: c.dilation, groups: c.groups)
      },
      inputs: [.numbers(c.input, seed: 1), .numbers(c.weight, seed: 2)]
        + (bias ? [.numbers([c.weight[0]], seed: 3)] : []),
      reference: { Self.convolve($0[0], $0[1], bias ? $0[2] : nil, c) })
  }

  static let transposedCases: [Case] = [
    Case(input: [1, 1, 1], weight: [1, 1, 1]),
    Case(input: [2, 3, 5], weight: [3, 4, 3], padding: 1),
    Case(input: [2, 4, 4], weight: [4, 3, 4], stride: 3, padding: 1, groups: 2, outputPadding: 2),
    Case(input: [1, 2, 4], weight: [2, 3, 3], stride: 2, dilation: 3),
    Case(input: [1, 3, 4, 3], weight: [3, 2, 3, 3], stride: 2, padding: 1, outputPadding: [1, 0]),
    Case(input: [2, 4, 3, 2], weight: [4, 1, 2, 3], stride: [1, 2], groups: 4),
    Case(input: [0, 2, 5], weight: [2, 3, 3]),
  ]

  /// Each element of the input spreads the weight over the output.
  static func spread(_ x: Reference, _ w: Reference, _ bias: Reference?, _ c: Case) -> Reference {
    let spatial = x.rank - 2
    let (stride, padding, dilation, extra) = c.pairs(spatial)
    let sizes = (0..<spatial).map { (d: Int) -> Int in
      let reach: Int = dilation[d] * (w.shape[2 + d] - 1)
      return (x.shape[2 + d] - 1) * stride[d] - 2 * padding[d] + reach + extra[d] + 1
    }
    let (inputsPerGroup, outputsPerGroup) = (x.shape[1] / c.groups, w.shape[1])
    var y = Reference([x.shape[0], outputsPerGroup * c.groups] + sizes) { bias?.values[$0[1]] ?? 0 }
    for index in Reference.indices(of: x.shape) {
      let first = index[1] / inputsPerGroup * outputsPerGroup
      for k in Reference.indices(of: Array(w.shape.dropFirst(2))) {
        guard let place = place(index[2...], k, stride, dilation, padding, in: sizes) else { continue }
        for channel in 0..<outputsPerGroup {
          y[[index[0], first + channel] + place] += x[index] * w[[index[1], channel] + k]
        }
      }
    }
    return y
  }

  @Test("the transpose: value and gradient", arguments: transposedCases, [false, true])
  func transposed(_ c: Case, _ bias: Bool) {
    let outputs = c.weight[1] * c.groups
    checkGradient(
      of: {
        $0[0].convolutionTransposed(
          $0[1], bias: bias ? $0[2] : nil, stride: c.stride, padding: c.padding, outputPadding: c.outputPadding,
          dilation: c.dilation, groups: c.groups)
      },
      inputs: [.numbers(c.input, seed: 1), .numbers(c.weight, seed: 2)] + (bias ? [.numbers([outputs], seed: 3)] : []),
      reference: { Self.spread($0[0], $0[1], bias ? $0[2] : nil, c) })
  }

  /// Large enough for blocked layouts; the same shape twice, so that a kept primitive is used again.
  @Test("blocked layouts, kept primitives")
  func large() {
    let c = Case(input: [2, 32, 13, 12], weight: [48, 32, 3, 3], stride: 2, padding: 1)
    for seed in [1, 2] {
      let (x, w) = (Tensor.numbers(c.input, seed: seed), Tensor.numbers(c.weight, seed: seed + 2))
      let reference = Self.convolve(Reference(x), Reference(w), nil, c)
      expectClose(x.convolution(w, stride: 2, padding: 1), reference)
      // ⟨conv(x, w), dy⟩ = ⟨x, dx⟩ = ⟨w, dw⟩ for a product linear in each.
      let dy = Tensor.numbers(Shape(reference.shape), seed: seed + 4)
      let (value, gradients) = valueAndGradient(at: [x, w]) { inputs in
        (inputs[0].convolution(inputs[1], stride: 2, padding: 1) * dy).sum()
      }
      let expected = zip(reference.values, dy.array(of: Double.self)).reduce(0) { $0 + $1.0 * $1.1 }
      for product in [value, (x * gradients[0]).sum(), (w * gradients[1]).sum()] {
        #expect(abs(Double(product.item()) - expected) < 0.02)
      }
    }
  }

  @Test("bfloat16 in and out")
  func bfloat16() {
    let c = Case(input: [1, 3, 9], weight: [2, 3, 3], padding: 1)
    checkGradientInBfloat16(
      of: { $0[0].convolution($0[1], bias: $0[2], padding: 1) },
      inputs: [.numbers(c.input, seed: 1), .numbers(c.weight, seed: 2), .numbers([2], seed: 3)],
      reference: { Self.convolve($0[0], $0[1], $0[2], c) })
    #expect(Tensor.numbers(c.input).cast(.bfloat16).convolution(.numbers(c.weight)).dtype == .bfloat16)
  }

  @Test("sizes that do not fit stop the program")
  func mismatch() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 3, 5]).convolution(.zeros([2, 2, 3])) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 3, 5]).convolution(.zeros([2, 3, 6])) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 5]).convolution(.zeros([2, 3])) }
  }
}

@Suite("Pooling and upsampling")
struct PoolingTests {
  static let cases: [(Shape, kernel: SpatialPair, stride: SpatialPair?, padding: SpatialPair)] = [
    ([1, 1, 1], 1, nil, 0), ([2, 3, 9], 3, nil, 0), ([2, 3, 10], 4, 2, 2), ([1, 2, 5, 7], 2, nil, 0),
    ([2, 2, 6, 5], [3, 2], [2, 1], 1), ([0, 2, 4], 2, nil, 0), ([3, 7, 11, 13], 3, 1, 1),
  ]

  /// The members of each window, nil where there is padding.
  static func windows(
    _ x: Reference, _ kernel: SpatialPair, _ stride: SpatialPair, _ padding: SpatialPair,
    _ function: ([Double?]) -> Double
  ) -> Reference {
    let spatial = x.rank - 2
    let (k, s, p) =
      spatial == 1
      ? ([kernel.width], [stride.width], [padding.width])
      : ([kernel.height, kernel.width], [stride.height, stride.width], [padding.height, padding.width])
    let sizes = (0..<spatial).map { (d: Int) -> Int in (x.shape[2 + d] + 2 * p[d] - k[d]) / s[d] + 1 }
    let ones = [1, 1]
    return Reference(x.shape[..<2] + sizes) { index in
      function(
        Reference.indices(of: k).map { offset in
          let inside = place(index[2...], offset, s, ones, p, in: Array(x.shape[2...]))
          guard let inside else { return nil }
          return x[[index[0], index[1]] + inside]
        })
    }
  }

  @Test("value and gradient", arguments: cases)
  func pooling(_ shape: Shape, _ kernel: SpatialPair, _ stride: SpatialPair?, _ padding: SpatialPair) {
    let s = stride ?? kernel
    let x = Tensor.numbers(shape, seed: 1, in: -2 ... -1)
    checkGradient(
      of: { $0[0].maxPool(kernel, stride: stride, padding: padding) }, inputs: [x],
      reference: { Self.windows($0[0], kernel, s, padding) { $0.compactMap { $0 }.max()! } })
    checkGradient(
      of: { $0[0].averagePool(kernel, stride: stride, padding: padding) }, inputs: [x],
      reference: {
        Self.windows($0[0], kernel, s, padding) { $0.compactMap { $0 }.reduce(0, +) / Double($0.count) }
      })
    checkGradient(
      of: { $0[0].averagePool(kernel, stride: stride, padding: padding, countingPadding: false) }, inputs: [x],
      reference: {
        Self.windows($0[0], kernel, s, padding) { window in
          let inside = window.compactMap { $0 }
          return inside.reduce(0, +) / Double(inside.count)
        }
      })
  }

  @Test("of equal elements the first has the gradient, and NaN wins")
  func details() {
    let x = Tensor([Float(2), 2, 1, 3, 3, 3], [1, 1, 6])
    #expect(valueAndGradient(at: [x]) { $0[0].maxPool(3).sum() }.gradients[0].array() == [1, 0, 0, 1, 0, 0])
    let y = Tensor([Float(1), .nan, 2, 1, 2, 3], [1, 1, 6]).maxPool(3).array(of: Float.self)
    #expect(y[0].isNaN && y[1] == 3)
  }

  @Test(
    "upsampling",
    arguments: [([1, 1, 1], 1), ([2, 3, 5], 3), ([2, 3, 2, 4], 2), ([1, 2, 3, 1], [1, 3]), ([0, 2, 3], 2)]
      as [(Shape, SpatialPair)])
  func upsampling(_ shape: Shape, _ scale: SpatialPair) {
    let factors = [1, 1] + (shape.count == 3 ? [scale.width] : [scale.height, scale.width])
    checkGradient(
      of: { $0[0].upsampledNearest(scale) }, inputs: [.numbers(shape)],
      reference: { x in
        Reference(zip(shape, factors).map { $0 * $1 }) { index in x[0][zip(index, factors).map { $0 / $1 }] }
      })
  }

  @Test("windows of padding alone stop the program")
  func mismatch() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 1, 4]).maxPool(2, padding: 2) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 1, 4]).maxPool(5) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 1, 0, 100]).maxPool(2, padding: 1) }
  }
}
