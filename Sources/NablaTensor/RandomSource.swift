import CNablaKernels

/// A stream of random numbers from the counter-based generator Philox4x32-10 (Salmon et al. 2011, "Parallel random
/// numbers: as easy as 1, 2, 3"). It is a value: pass it `inout`, save it in a checkpoint. The numbers it yields
/// do not depend on the number of threads.
public struct RandomSource: Sendable, Hashable, Codable, RandomNumberGenerator {
  private let key: UInt64
  private let stream: UInt64
  /// The next unused block of four 32-bit words.
  private var counter: UInt64 = 0

  public init(seed: UInt64) {
    key = seed
    stream = 0
  }

  private init(key: UInt64, stream: UInt64) {
    self.key = key
    self.stream = stream
  }

  /// Draws nothing: tensors made from it have a shape but no memory. For the parameters of a model about to be
  /// loaded, all of which are replaced before anything reads them.
  package static let unset = RandomSource(key: 0, stream: .max)
  private var isUnset: Bool { stream == .max }
  private static let noElements = Storage(bytes: 1)

  private enum CodingKeys: String, CodingKey { case key, stream, counter }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    key = try container.decode(UInt64.self, forKey: .key)
    stream = try container.decode(UInt64.self, forKey: .stream)
    counter = try container.decode(UInt64.self, forKey: .counter)
    // Its tensors have no memory: no file may ask for them.
    guard !isUnset else {
      throw DecodingError.dataCorruptedError(forKey: .stream, in: container, debugDescription: "not a stream")
    }
  }

  /// An independent stream. Draws one number from this one.
  public mutating func split() -> RandomSource {
    isUnset ? self : RandomSource(key: next(), stream: stream &+ 1)
  }

  public mutating func next() -> UInt64 {
    defer { counter &+= 1 }
    return philox(key: key, counter: counter, stream: stream)
  }

  /// A number in [0, 1), a multiple of 2⁻⁵³.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  private mutating func fill(
    _ shape: Shape, _ kernel: (UInt64, UInt64, UInt64, Int64, Int64, UnsafeMutablePointer<Float>?) -> Void
  ) -> Tensor {
    if isUnset { return Tensor(storage: Self.noElements, shape: shape, dtype: .float32) }
    let y = Tensor(uninitialized: shape)
    let start = advance(y.count)
    parallelFor(y.count, grain: elementGrain) { part in
      kernel(key, stream, start, Int64(part.lowerBound), Int64(part.count), y.floats + part.lowerBound)
    }
    return y
  }

  private mutating func advance(_ elements: Int) -> UInt64 {
    defer { counter &+= UInt64((elements + 3) / 4) }
    return counter
  }

  /// Numbers in [low, high).
  public mutating func uniform(_ shape: Shape, in range: Range<Float> = 0..<1) -> Tensor {
    let unit = fill(shape, nabla_random_uniform)
    if range == 0..<1 || isUnset { return unit }
    // The sum may round up to the bound.
    return unit.scaledShifted(range.upperBound - range.lowerBound, range.lowerBound)
      .clamped(to: range.lowerBound...range.upperBound.nextDown)
  }

  /// Normally distributed numbers.
  public mutating func normal(_ shape: Shape, mean: Float = 0, standardDeviation: Float = 1) -> Tensor {
    let unit = fill(shape, nabla_random_normal)
    return mean == 0 && standardDeviation == 1 || isUnset ? unit : unit.scaledShifted(standardDeviation, mean)
  }

  /// One index per row, drawn with probabilities softmax(logits). logits: [..., n] → int32 [...].
  ///
  /// Inverts the cumulative distribution function in float64: Gumbel noise made of float32 numbers would, about once in
  /// 2²⁴ elements, be so large that it picks an element however improbable.
  public mutating func categorical(logits: Tensor) -> Tensor {
    let weights = logits.stopGradient().softmax()
    let n = logits.shape.last!
    let picks = (0..<logits.shape.dropLast().reduce(1, *)).map { row -> Int32 in
      let row = UnsafeBufferPointer(start: weights.floats + row * n, count: n)
      let total = row.reduce(0.0) { $0 + Double($1) }
      precondition(total > 0, "categorical: the logits of a row are all -infinity, or one is NaN")
      let target = uniform() * total
      var sum = 0.0
      for (i, weight) in row.enumerated() {
        sum += Double(weight)
        if sum > target { return Int32(i) }
      }
      return Int32(row.lastIndex { $0 > 0 }!)
    }
    return Tensor(picks, Shape(logits.shape.dropLast()))
  }

  /// Fills memory with integers in 0..<bound. (Each has a probability within 2⁻³² of 1/bound.)
  package mutating func integers(below bound: Int, into y: UnsafeMutableBufferPointer<Int32>) {
    precondition(1...Int(Int32.max) ~= bound, "RandomSource.integers: the bound \(bound) is not in 1..<2³¹")
    guard let base = y.baseAddress else { return }
    nabla_random_integers(key, stream, advance(y.count), 0, Int64(y.count), UInt32(bound), base)
  }

  /// The numbers 0..<count in random order (Fisher and Yates).
  public mutating func permutation(_ count: Int) -> [Int] { Array(0..<count).shuffled(using: &self) }

  /// Draws for dropout: its random numbers can be regenerated from the result.
  package mutating func dropoutState(_ elements: Int) -> (key: UInt64, stream: UInt64, counter: UInt64) {
    (key, stream, advance(elements))
  }
}

/// The first 64 of the 128 random bits of Philox4x32-10 for a key, a counter and a stream: a pure function,
/// for draws that must not depend on earlier ones.
package func philox(key: UInt64, counter: UInt64, stream: UInt64) -> UInt64 {
  var words: (UInt32, UInt32) = (0, 0)
  withUnsafeMutableBytes(of: &words) {
    nabla_philox(key, stream, counter, 2, $0.baseAddress!.assumingMemoryBound(to: UInt32.self))
  }
  return UInt64(words.0) | UInt64(words.1) << 32
}
