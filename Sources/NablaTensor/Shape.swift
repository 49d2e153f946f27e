/// The sizes of a tensor's dimensions, outermost first. At most 6, kept inline: making a shape allocates nothing.
public struct Shape: Sendable, Hashable, RandomAccessCollection, ExpressibleByArrayLiteral, CustomStringConvertible {
  private var sizes: InlineArray<6, Int> = .init(repeating: 0)
  private var rank: Int

  public init<Sizes: Collection>(_ sizes: Sizes) where Sizes.Element == Int {
    precondition(sizes.count <= 6, "a tensor has at most 6 dimensions, not \(sizes.count)")
    rank = 0
    for size in sizes {
      precondition(size >= 0, "a dimension cannot be negative: \(Array(sizes))")
      self.sizes[rank] = size
      rank += 1
    }
  }

  public init(arrayLiteral sizes: Int...) { self.init(sizes) }

  public var startIndex: Int { 0 }
  public var endIndex: Int { rank }
  public var count: Int { rank }

  public subscript(dimension: Int) -> Int {
    get {
      precondition(dimension < rank, "dimension \(dimension) of a shape of rank \(rank)")
      return sizes[dimension]
    }
    set {
      precondition(dimension < rank, "dimension \(dimension) of a shape of rank \(rank)")
      sizes[dimension] = newValue
    }
  }

  /// The product of all sizes: 1 for a scalar.
  public var elementCount: Int {
    var product = 1
    for dimension in 0..<rank { product *= sizes[dimension] }
    return product
  }

  /// Turns -1 into the last dimension, and checks the range.
  package func dimension(_ axis: Int, for operation: StaticString) -> Int {
    let dimension = axis < 0 ? axis + rank : axis
    precondition(dimension >= 0 && dimension < rank, "\(operation): no axis \(axis) in shape \(self)")
    return dimension
  }

  /// The product of sizes before, at and after `dimension`: the view [outer, n, inner] that reductions work on.
  package func split(at dimension: Int) -> (outer: Int, n: Int, inner: Int) {
    var outer = 1
    var inner = 1
    for d in 0..<dimension { outer *= sizes[d] }
    for d in dimension + 1..<Swift.max(rank, dimension + 1) { inner *= sizes[d] }
    return (outer, sizes[dimension], inner)
  }

  package func replacing(_ dimension: Int, with size: Int) -> Shape {
    var shape = self
    shape[dimension] = size
    return shape
  }

  package func removing(_ dimension: Int) -> Shape {
    var kept = Shape([])
    for d in 0..<rank where d != dimension { kept.append(sizes[d]) }
    return kept
  }

  package mutating func append(_ size: Int) {
    precondition(rank < 6, "a tensor has at most 6 dimensions")
    sizes[rank] = size
    rank += 1
  }

  /// Row-major strides in elements.
  package var strides: Shape {
    var strides = self
    var step = 1
    for d in stride(from: rank - 1, through: 0, by: -1) {
      strides.sizes[d] = step
      step *= sizes[d]
    }
    return strides
  }

  /// The shape that two shapes broadcast to, aligned at the last dimension as NumPy does, or nil.
  package static func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
    if a == b { return a }
    let rank = Swift.max(a.rank, b.rank)
    var result = Shape([])
    for d in 0..<rank {
      let sizeA = d < rank - a.rank ? 1 : a[d - rank + a.rank]
      let sizeB = d < rank - b.rank ? 1 : b[d - rank + b.rank]
      guard sizeA == sizeB || sizeA == 1 || sizeB == 1 else { return nil }
      result.append(sizeA == 1 ? sizeB : sizeA)
    }
    return result
  }

  public static func == (a: Shape, b: Shape) -> Bool {
    guard a.rank == b.rank else { return false }
    for d in 0..<a.rank where a.sizes[d] != b.sizes[d] { return false }
    return true
  }

  public func hash(into hasher: inout Hasher) {
    for d in 0..<rank { hasher.combine(sizes[d]) }
  }

  public var description: String { "[" + map(String.init).joined(separator: ", ") + "]" }
}
