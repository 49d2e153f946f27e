import NablaTensor
import Testing

/// Our own kernels give the same bits for any number of threads (oneDNN's products need not).
@Suite("The same bits for 1, 2 and 3 threads")
struct DeterminismTests {
  private func expectSameBits(
    _ what: String, at location: SourceLocation = #_sourceLocation, _ work: () -> [Tensor]
  ) {
    let results = [1, 2, 3].map { count in
      Threads.with(count) { work().map { $0.cast(.float32).array(of: Float.self).map(\.bitPattern) } }
    }
    #expect(results[0] == results[1], "\(what): 2 threads", sourceLocation: location)
    #expect(results[0] == results[2], "\(what): 3 threads", sourceLocation: location)
  }

  /// Value and gradients of an operation on these inputs.
  private func expectSameBits(_ what: String, of inputs: [Tensor], _ function: ([Tensor]) -> Tensor) {
    let shape = withoutGradient { function(inputs).shape }
    let weights = Tensor.numbers(shape, seed: 77)
    expectSameBits(what) {
      let (value, gradients) = valueAndGradient(at: inputs) { (function($0).cast(.float32) * weights).sum() }
      return [value, function(inputs)] + gradients
    }
  }

  private let x = Tensor.numbers([517, 203], seed: 1, in: -3...3)
  private let w = Tensor.numbers([203], seed: 2)
  private let b = Tensor.numbers([203], seed: 3)

  @Test("norms")
  func norms() {
    expectSameBits("layerNorm", of: [x, w, b]) { $0[0].layerNorm(weight: $0[1], bias: $0[2]) }
    expectSameBits("layerNorm bfloat16", of: [x.cast(.bfloat16), w, b]) {
      $0[0].layerNorm(weight: $0[1], bias: $0[2], output: .bfloat16)
    }
    expectSameBits("rmsNorm", of: [x, w]) { $0[0].rmsNorm(weight: $0[1]) }
    expectSameBits("groupNorm", of: [.numbers([8, 6, 999], seed: 4), .numbers([6]), .numbers([6], seed: 5)]) {
      $0[0].groupNorm(groups: 3, weight: $0[1], bias: $0[2])
    }
  }

  @Test("perceptron")
  func perceptron() {
    // Enough rows to be shared among threads.
    expectSameBits("perceptron", of: PerceptronTests.inputs([1517, 9], [65, 40, 3])) {
      PerceptronTests.perceptron($0, 3, .tanh)
    }
  }

  @Test("reductions and softmax")
  func reductions() {
    expectSameBits("sum", of: [x]) { $0[0].sum() }
    for axis in 0...1 {
      expectSameBits("sum \(axis)", of: [x]) { $0[0].sum(axis: axis) }
      expectSameBits("variance \(axis)", of: [x]) { $0[0].variance(axis: axis) }
      expectSameBits("max \(axis)", of: [x]) { $0[0].max(axis: axis) }
      expectSameBits("cumulativeSum \(axis)", of: [x]) { $0[0].cumulativeSum(axis: axis) }
    }
    expectSameBits("softmax", of: [x]) { $0[0].softmax() }
    expectSameBits("logSoftmax", of: [x]) { $0[0].logSoftmax() }
    expectSameBits("logSumExp", of: [x]) { $0[0].logSumExp() }
    expectSameBits("topK") { [x.topK(5).values, x.topK(5).indices, x.argmax(axis: 0), x.argmax(axis: 1)] }
    var numbers = Numbers(1)
    let targets = numbers.integers([517], below: 203)
    expectSameBits("crossEntropy", of: [x]) {
      $0[0].crossEntropy(targets, options: .init(labelSmoothing: 0.1, zLoss: 0.1))
    }
  }

  @Test("elementwise, with broadcasting")
  func elementwise() {
    for function in UnaryCase.all {
      let input = Tensor.numbers([100_003], in: function.range)
      expectSameBits(function.name, of: [input]) { function.ours($0[0]) }
      expectSameBits(function.name + " bfloat16", of: [input.cast(.bfloat16)]) { function.ours($0[0]) }
    }
    for function in BinaryCase.all {
      let inputs = [
        Tensor.numbers([517, 203], seed: 1, in: function.range), .numbers([517, 1], seed: 2, in: function.range),
      ]
      expectSameBits(function.name, of: inputs) { function.ours($0[0], $0[1]) }
    }
    expectSameBits("swiglu", of: [.numbers([517, 202])]) { $0[0].swiglu() }
    let table = RotaryTable(frequencies: [1, 0.1, 0.01], positions: 600)
    expectSameBits("rotary", of: [.numbers([40, 517, 14])]) { $0[0].rotary(table, heads: 2, headSize: 6) }
  }

  @Test("rows by index, layout")
  func indexing() {
    var numbers = Numbers(2)
    let indices = numbers.integers([2001], below: 517)
    let rows = Tensor.numbers([2001, 203], seed: 5)
    expectSameBits("gather", of: [x]) { $0[0].gather(indices) }
    expectSameBits("scatterAdd", of: [x, rows]) { $0[0].scatterAdd(indices, $0[1]) }
    expectSameBits("permute", of: [.numbers([20, 30, 41])]) { $0[0].permuted([2, 0, 1]) }
    expectSameBits("slice", of: [.numbers([20, 30, 41])]) { $0[0].slice(3..<17, axis: 1) }
  }

  /// Bias sums of a linear layer are ours; the products need not have the same bits, so only these are compared.
  @Test("bias gradients")
  func bias() {
    let dy = Tensor.numbers([517, 64], seed: 8)
    for type in [DType.float32, .bfloat16] {
      expectSameBits("bias \(type)") {
        let input = Tensor.numbers([517, 8]).cast(type)
        let weight = Tensor.numbers([64, 8])
        return valueAndGradient(at: [.numbers([64])]) { inputs in
          (input.linear(weight, bias: inputs[0]).cast(.float32) * dy).sum()
        }.gradients
      }
    }
  }

  @Test("random numbers and dropout")
  func random() {
    expectSameBits("random") {
      var random = RandomSource(seed: 12)
      let first = [random.uniform([100_001]), random.normal([100_001]), random.uniform([100_001], in: 2..<3)]
      return first + [
        Tensor.ones([100_001]).dropout(0.3, random: &random), random.categorical(logits: x).cast(.float32),
      ]
    }
  }
}
