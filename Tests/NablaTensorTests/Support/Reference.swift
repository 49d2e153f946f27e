import NablaTensor

/// An array in float64 with the plainest code that could be right: what operations are compared with.
struct Reference: Equatable {
  var values: [Double]
  var shape: [Int]

  init(_ values: [Double], _ shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values in shape \(shape)")
    (self.values, self.shape) = (values, shape)
  }

  init(_ tensor: Tensor) {
    self.init(tensor.array(of: Double.self), Array(tensor.shape))
  }

  init(_ shape: [Int], _ element: (_ index: [Int]) -> Double) {
    self.init([], [0])
    self.shape = shape
    values = Reference.indices(of: shape).map(element)
  }

  var count: Int { values.count }
  var rank: Int { shape.count }

  /// All indices into a shape, in row-major order.
  static func indices(of shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { prefixes, size in prefixes.flatMap { prefix in (0..<size).map { prefix + [$0] } } }
  }

  static func offset(of index: [Int], in shape: [Int]) -> Int {
    zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
  }

  subscript(index: [Int]) -> Double {
    get { values[Reference.offset(of: index, in: shape)] }
    set { values[Reference.offset(of: index, in: shape)] = newValue }
  }

  /// The element that broadcasting to a larger shape puts at `index`.
  func broadcast(at index: [Int]) -> Double {
    let own = index.suffix(rank)
    return self[zip(own, shape).map { $1 == 1 ? 0 : $0 }]
  }

  func map(_ function: (Double) -> Double) -> Reference { Reference(values.map(function), shape) }

  func reshaped(_ shape: [Int]) -> Reference { Reference(values, shape) }

  /// A function of two arrays with broadcasting; `shape` is the result's.
  static func zip2(_ a: Reference, _ b: Reference, _ function: (Double, Double) -> Double) -> Reference {
    let rank = max(a.rank, b.rank)
    let padded = [a, b].map { Array(repeating: 1, count: rank - $0.rank) + $0.shape }
    let shape = zip(padded[0], padded[1]).map { $0 == 1 ? $1 : $0 }
    return Reference(shape) { function(a.broadcast(at: $0), b.broadcast(at: $0)) }
  }

  /// Each line along `axis` replaced by what `function` makes of it; `drops` takes the axis away.
  func alongAxis(_ axis: Int, drops: Bool = false, _ function: ([Double]) -> [Double]) -> Reference {
    let axis = axis < 0 ? axis + rank : axis
    var outer = shape
    outer.remove(at: axis)
    var lines: [[Double]] = []
    for index in Reference.indices(of: outer) {
      lines.append(
        function(
          (0..<shape[axis]).map { i in
            var full = index
            full.insert(i, at: axis)
            return self[full]
          }))
    }
    var result = shape
    result[axis] = function(Array(repeating: 0, count: shape[axis])).count
    var y = Reference(result) { index in
      var rest = index
      let i = rest.remove(at: axis)
      return lines[Reference.offset(of: rest, in: outer)][i]
    }
    if drops { y = y.reshaped(outer) }
    return y
  }

  static func + (a: Reference, b: Reference) -> Reference { zip2(a, b, +) }
  static func - (a: Reference, b: Reference) -> Reference { zip2(a, b, -) }
  static func * (a: Reference, b: Reference) -> Reference { zip2(a, b, *) }

  /// [m, k] × [k, n], or the same of each pair of matrices in a batch.
  static func matmul(_ a: Reference, _ b: Reference) -> Reference {
    let (m, k, n) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
    return Reference(a.shape.dropLast(2) + [m, n]) { index in
      let batch = Array(index.dropLast(2))
      let batchB = b.rank == 2 ? [] : batch
      return (0..<k).reduce(0.0) { $0 + a[batch + [index[index.count - 2], $1]] * b[batchB + [$1, index.last!]] }
    }
  }

  var transposed: Reference {
    var result = shape
    result.swapAt(rank - 1, rank - 2)
    return Reference(result) { index in
      var source = index
      source.swapAt(rank - 1, rank - 2)
      return self[source]
    }
  }
}

/// Numbers for tests, of a generator that has nothing to do with the library's.
struct Numbers {
  private var state: UInt64

  init(_ seed: Int = 1) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678 }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func uniform(_ range: ClosedRange<Double> = -1...1) -> Double {
    range.lowerBound + Double(next() >> 11) * 0x1p-53 * (range.upperBound - range.lowerBound)
  }

  mutating func tensor(_ shape: Shape, in range: ClosedRange<Double> = -1...1) -> Tensor {
    Tensor((0..<shape.elementCount).map { _ in Float(uniform(range)) }, shape)
  }

  mutating func integers(_ shape: Shape, below bound: Int) -> Tensor {
    Tensor((0..<shape.elementCount).map { _ in Int32(next() % UInt64(bound)) }, shape)
  }
}

extension Tensor {
  /// Deterministic numbers in a range.
  static func numbers(_ shape: Shape, seed: Int = 1, in range: ClosedRange<Double> = -1...1) -> Tensor {
    var numbers = Numbers(seed)
    return numbers.tensor(shape, in: range)
  }
}
