import Glibc
import NablaTensor
import Testing

@Suite("Cross-entropy")
struct CrossEntropyTests {
  static let options: [CrossEntropyOptions] = [
    .init(), .init(labelSmoothing: 0.1), .init(zLoss: 0.3), .init(ignoreIndex: 2),
    .init(labelSmoothing: 0.2, zLoss: 0.1, ignoreIndex: 0), .init(labelSmoothing: 1),
  ]

  /// The loss of each row; rows with the ignored target give 0.
  static func losses(_ logits: Reference, _ targets: [Int32], _ options: CrossEntropyOptions) -> [Double] {
    let n = logits.shape.last!
    let epsilon = Double(options.labelSmoothing)
    return targets.enumerated().map { row, target in
      if target == options.ignoreIndex { return 0 }
      let x = logits.values[row * n..<(row + 1) * n]
      let z = x.max()! + log(x.reduce(0) { $0 + exp($1 - x.max()!) })
      let logProbabilities = x.map { $0 - z }
      let mean = logProbabilities.reduce(0, +) / Double(n)
      return -(1 - epsilon) * logProbabilities[Int(target)] - epsilon * mean + Double(options.zLoss) * z * z
    }
  }

  static func mean(_ losses: [Double], _ targets: [Int32], _ options: CrossEntropyOptions) -> Reference {
    let counted = targets.filter { $0 != options.ignoreIndex }.count
    return Reference([losses.reduce(0, +) / Double(max(counted, 1))], [])
  }

  private func targets(_ shape: Shape, below n: Int) -> Tensor {
    var numbers = Numbers(shape.elementCount)
    return numbers.integers(shape, below: n)
  }

  @Test("from logits", arguments: [[5], [4, 3], [2, 3, 11], [0, 4], [1, 257]] as [Shape], options)
  func fromLogits(_ shape: Shape, _ options: CrossEntropyOptions) {
    let targets = targets(Shape(shape.dropLast()), below: shape.last!)
    let values = targets.array(of: Int32.self)
    checkGradient(
      of: { $0[0].crossEntropy(targets, options: options) }, inputs: [.numbers(shape, in: -3...3)],
      reference: { Self.mean(Self.losses($0[0], values, options), values, options) })
  }

  @Test("of nothing is 0")
  func allIgnored() {
    let targets = Tensor([Int32(-100), -100])
    let (loss, gradients) = valueAndGradient(at: [Tensor.numbers([2, 3])]) { $0[0].crossEntropy(targets) }
    #expect(loss.item() == 0 && gradients[0].array() == [0, 0, 0, 0, 0, 0] as [Float])
  }

  /// As of small logits, but for the z-loss, whose z is large itself.
  @Test("large logits", arguments: [0, 0.1] as [Float]) func largeLogits(smoothing: Float) {
    let options = CrossEntropyOptions(labelSmoothing: smoothing)
    let targets = targets([6], below: 33)
    let values = targets.array(of: Int32.self)
    for shift in [1e4, -1e4, 1e6] as [Float] {
      let x = Tensor.numbers([6, 33], in: -3...3).scaledShifted(1, shift)
      let reference = Reference(x.array(of: Double.self), [6, 33])
      let expected = Self.losses(reference, values, options).reduce(0, +) / 6
      let (loss, gradients) = valueAndGradient(at: [x]) { $0[0].crossEntropy(targets, options: options) }
      #expect(abs(Double(loss.item()) - expected) < 2e-6, "\(shift): \(loss.item()), \(expected)")
      let without = withoutGradient { x.crossEntropy(targets, options: options).item() }
      #expect(abs(Double(without) - expected) < 2e-6)
      #expect(abs(gradients[0].sum().item()) < 1e-6)
    }
  }

  @Test("bfloat16 logits")
  func bfloat16() {
    let targets = targets([4], below: 7)
    let values = targets.array(of: Int32.self)
    checkGradientInBfloat16(
      of: { $0[0].crossEntropy(targets) }, inputs: [.numbers([4, 7])],
      reference: { Self.mean(Self.losses($0[0], values, .init()), values, .init()) })
  }

  @Test(
    "through a linear layer", arguments: [([5], 3), ([4, 5], 7), ([2, 3, 5], 11), ([0, 5], 3)] as [(Shape, Int)],
    options)
  func linear(_ sizes: (Shape, Int), _ options: CrossEntropyOptions) {
    let (shape, classes) = sizes
    let targets = targets(Shape(shape.dropLast()), below: classes)
    let values = targets.array(of: Int32.self)
    checkGradient(
      of: { $0[0].linearCrossEntropy($0[1], targets: targets, options: options) * 3 },
      inputs: [.numbers(shape, seed: 1), .numbers([classes, shape.last!], seed: 2)],
      reference: { x in
        let logits = LinearTests.reference(x[0], [x[1]], [], nil)
        return Self.mean(Self.losses(logits, values, options), values, options).map { $0 * 3 }
      })
  }

  @Test("weights of rows", arguments: [false, true])
  func weighted(_ fused: Bool) {
    let targets = Tensor([Int32(1), -100, 3, 0])
    let weights = Tensor([Float(0.5), 7, -2, 0])
    let w = weights.array(of: Double.self)
    checkGradient(
      of: { x in
        fused
          ? x[0].linearCrossEntropy(x[1], targets: targets, weights: weights)
          : x[0].linear(x[1]).crossEntropy(targets, weights: weights)
      },
      inputs: [.numbers([4, 5], seed: 1), .numbers([6, 5], seed: 2)],
      reference: { x in
        let losses = Self.losses(.matmul(x[0], x[1].transposed), targets.array(of: Int32.self), .init())
        return Reference([zip(losses, w).reduce(0) { $0 + $1.0 * $1.1 }], [])
      })
  }

  /// Of a weighted sum of losses the gradient of a weight is its row's loss; an ignored row has none.
  @Test("gradients of the weights of rows", arguments: [false, true])
  func weightsHaveGradients(_ fused: Bool) {
    let targets = Tensor([Int32(1), -100, 3, 0], [2, 2])
    checkGradient(
      of: { x in
        fused
          ? x[0].linearCrossEntropy(x[1], targets: targets, weights: x[2])
          : x[0].linear(x[1]).crossEntropy(targets, weights: x[2])
      },
      inputs: [.numbers([2, 2, 5], seed: 1), .numbers([6, 5], seed: 2), .numbers([2, 2], seed: 3)],
      reference: { x in
        let losses = Self.losses(
          LinearTests.reference(x[0], [x[1]], [], nil), targets.array(of: Int32.self), .init())
        return Reference([zip(losses, x[2].values).reduce(0) { $0 + $1.0 * $1.1 }], [])
      })
  }

  @Test("only the hidden states, or only the weight, has a gradient")
  func oneSided() {
    let targets = Tensor([Int32(1), 0, 2])
    let (hidden, weight) = (Tensor.numbers([3, 4], seed: 1), Tensor.numbers([5, 4], seed: 2))
    for function in [
      { (h: Tensor, w: Tensor) in h.linearCrossEntropy(w, targets: targets) },
      { (h: Tensor, w: Tensor) in -h.linearLogProbabilities(w, targets: targets).mean() },
      { (h: Tensor, w: Tensor) in h.linearLogProbabilitiesAndEntropies(w, targets: targets).entropies.square().sum() },
      { (h: Tensor, w: Tensor) in
        let (p, entropies) = h.linearLogProbabilitiesAndEntropies(w, targets: targets)
        return p.sum() + entropies.square().sum()
      },
    ] {
      let both = valueAndGradient(at: [hidden, weight]) { function($0[0], $0[1]) }
      let first = valueAndGradient(at: [hidden]) { function($0[0], weight) }
      let second = valueAndGradient(at: [weight]) { function(hidden, $0[0]) }
      expectClose(first.gradients[0], Reference(both.gradients[0]))
      expectClose(second.gradients[0], Reference(both.gradients[1]))
      #expect(both.gradients[0].array().contains { abs($0) > 0.01 })
    }
  }

  @Test(
    "log-probabilities of targets",
    arguments: [([5], 3), ([4, 5], 7), ([2, 3, 5], 11), ([0, 5], 3)] as [(Shape, Int)])
  func logProbabilities(_ shape: Shape, _ classes: Int) {
    let targets = targets(Shape(shape.dropLast()), below: classes)
    let values = targets.array(of: Int32.self)
    checkGradient(
      of: { $0[0].linearLogProbabilities($0[1], targets: targets, ignoreIndex: 2) },
      inputs: [.numbers(shape, seed: 1), .numbers([classes, shape.last!], seed: 2)],
      reference: { x in
        let losses = Self.losses(LinearTests.reference(x[0], [x[1]], [], nil), values, .init(ignoreIndex: 2))
        return Reference(losses.map { -$0 }, Array(shape.dropLast()))
      })
  }

  /// Log-probabilities and entropies at a temperature, each with its gradient.
  @Test("log-probabilities and entropies", arguments: [1, 0.6, 3] as [Float], [false, true])
  func distributions(_ temperature: Float, _ fused: Bool) {
    let targets = Tensor([Int32(1), -100, 3, 0, 6, 2], [2, 3])
    let values = targets.array(of: Int32.self)
    for part in 0..<3 {
      checkGradient(
        of: { x in
          let (p, h) =
            fused
            ? x[0].linearLogProbabilitiesAndEntropies(x[1], targets: targets, temperature: temperature)
            : x[0].linear(x[1]).logProbabilitiesAndEntropies(targets: targets, temperature: temperature)
          return part == 0 ? p : part == 1 ? h : p * 0.5 + h * h
        },
        inputs: [.numbers([2, 3, 5], seed: 1, in: -2...2), .numbers([7, 5], seed: 2, in: -2...2)],
        reference: { x in
          let logits = LinearTests.reference(x[0], [x[1]], [], nil).map { $0 / Double(temperature) }
          let results = values.enumerated().map { row, target -> Double in
            if target == -100 { return 0 }
            let x = logits.values[row * 7..<(row + 1) * 7]
            let z = log(x.reduce(0) { $0 + exp($1) })
            let entropy = x.reduce(0) { $0 - exp($1 - z) * ($1 - z) }
            let p = x[row * 7 + Int(target)] - z
            return part == 0 ? p : part == 1 ? entropy : p * 0.5 + entropy * entropy
          }
          return Reference(results, [2, 3])
        })
    }
  }

  /// A token that a mask forbids (logit -∞) takes no part, and gives no NaN.
  @Test("forbidden tokens") func forbidden() {
    let logits = Tensor([Float(1), -.infinity, 1, 0.5, 0.5, -.infinity], [2, 3])
    let targets = Tensor([Int32(0), 0])
    let (value, gradients) = valueAndGradient(at: [logits]) { x in
      let (p, h) = x[0].logProbabilitiesAndEntropies(targets: targets)
      return p.sum() + h.sum()
    }
    #expect(abs(value.item()) < 1e-6, "ln 1/2 + ln 2, twice")
    #expect(gradients[0].array().allSatisfy { $0.isFinite })
  }

  /// A chunk is at least 64 rows and 8M logits: 150,000 classes make three chunks of 150 rows.
  @Test("in chunks, forward and backward")
  func chunks() {
    let (rows, width, classes) = (150, 3, 150_000)
    let (hidden, weight) = (Tensor.numbers([rows, width], seed: 1), Tensor.numbers([classes, width], seed: 2))
    let targets = targets([rows], below: classes)
    let whole = valueAndGradient(at: [hidden, weight]) { inputs in
      inputs[0].matmul(inputs[1], transposingOther: true).logSoftmax().gatherLast(targets).mean()
    }
    let chunked = valueAndGradient(at: [hidden, weight]) { -$0[0].linearCrossEntropy($0[1], targets: targets) }
    let probabilities = valueAndGradient(at: [hidden, weight]) { inputs in
      inputs[0].linearLogProbabilities(inputs[1], targets: targets).mean()
    }
    for result in [chunked, probabilities] {
      expectClose(result.value, Reference(whole.value))
      for i in 0..<2 {
        // Gradients of a mean are small: compare at their own scale.
        let scale = Float(1) / whole.gradients[i].array(of: Float.self).map(abs).max()!
        expectClose(
          result.gradients[i] * Tensor(scale), Reference(whole.gradients[i] * Tensor(scale)), tolerance: 1e-4)
      }
    }
    // And against float64 for some rows.
    let w = weight.array(of: Double.self)
    for row in [0, 63, 64, 149] {
      let x = hidden[row].array(of: Double.self)
      let logits = (0..<classes).map { c in (0..<width).reduce(0) { $0 + x[$1] * w[c * width + $1] } }
      let z = log(logits.reduce(0) { $0 + exp($1) })
      let expected = logits[Int(targets.array(of: Int32.self)[row])] - z
      let actual = hidden.linearLogProbabilities(weight, targets: targets).array(of: Double.self)[row]
      #expect(abs(actual - expected) < 1e-4)
    }
  }

  @Test("bfloat16 hidden states")
  func linearBfloat16() {
    let targets = targets([9], below: 13)
    let values = targets.array(of: Int32.self)
    for function in [
      { (h: Tensor, w: Tensor) in h.linearCrossEntropy(w, targets: targets) },
      { (h: Tensor, w: Tensor) in -h.linearLogProbabilities(w, targets: targets).mean() },
    ] {
      checkGradient(
        of: { function($0[0], $0[1]) },
        inputs: [Tensor.numbers([9, 17], seed: 1).cast(.bfloat16), Tensor.numbers([13, 17], seed: 2)],
        reference: { x in
          Self.mean(Self.losses(.matmul(x[0], x[1].transposed), values, .init()), values, .init())
        }, tolerance: Tolerance.bfloat16)
    }
  }

  @Test("a target outside stops the program")
  func outside() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 3]).crossEntropy(Tensor([Int32(3)])) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 3]).crossEntropy(Tensor([Int32(-1)])) }
  }
}

@Suite("Losses of pairs")
struct LossTests {
  @Test("mean squared error, binary cross-entropy, Huber", arguments: [[], [7], [3, 5]] as [Shape])
  func losses(_ shape: Shape) {
    let inputs = [Tensor.numbers(shape, seed: 1, in: -3...3), .numbers(shape, seed: 2, in: 0...1)]
    func mean(_ x: [Reference], _ function: (Double, Double) -> Double) -> Reference {
      let values = Reference.zip2(x[0], x[1], function).values
      return Reference([values.reduce(0, +) / Double(values.count)], [])
    }
    checkGradient(
      of: { $0[0].meanSquaredError($0[1]) }, inputs: inputs, reference: { mean($0) { ($0 - $1) * ($0 - $1) } })
    checkGradient(
      of: { $0[0].binaryCrossEntropyWithLogits($0[1]) }, inputs: inputs,
      reference: {
        mean($0) { x, t in
          let p = 1 / (1 + exp(-x))
          return -t * log(p) - (1 - t) * log(1 - p)
        }
      })
    for delta in [0.5, 1, 2] {
      checkGradient(
        of: { $0[0].huberLoss($0[1], delta: Float(delta)) }, inputs: inputs,
        reference: {
          mean($0) { x, t in
            let distance = abs(x - t)
            return distance <= delta ? distance * distance / 2 : delta * (distance - delta / 2)
          }
        })
    }
  }

  @Test("Huber's slope at its corner is delta")
  func huberCorner() {
    let (_, gradients) = valueAndGradient(at: [Tensor([Float(2), 0])]) { $0[0].huberLoss(Tensor([Float(1), 0])) }
    #expect(gradients[0].array() == [0.5, 0] as [Float])
  }

  @Test("binary cross-entropy of extreme logits is finite")
  func extreme() {
    let x = Tensor([Float(1000), -1000, 1000])
    #expect(x.binaryCrossEntropyWithLogits(Tensor([Float(1), 0, 0])).item() == 1000 / 3.0 as Float)
  }
}
