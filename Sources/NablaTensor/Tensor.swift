/// A dense array of numbers, row-major and contiguous, that keeps its computation graph while gradients are recorded.
///
/// A tensor is a value: no operation changes an existing one. Reshapes and leading slices share memory; everything else
/// allocates new memory. Shapes that do not fit an operation are programming errors and stop the program with a message
/// that names the operation and the shapes.
///
/// ```swift
/// let x: Tensor = [[1, 2], [3, 4]]       // float32, shape [2, 2]
/// let y = x.matmul(x).tanh().sum()       // a scalar
/// print(y.item())
/// ```
public struct Tensor: Sendable {
  package var storage: Storage
  /// The offset of the first element in the storage, in elements.
  package let offset: Int
  public let shape: Shape
  public let dtype: DType
  /// The graph node of the operation that made this tensor; nil for constants.
  package var node: Node?

  package init(storage: Storage, offset: Int = 0, shape: Shape, dtype: DType) {
    self.storage = storage
    self.offset = offset
    self.shape = shape
    self.dtype = dtype
  }

  /// New memory with undefined contents, for operations that fill it.
  package init(uninitialized shape: Shape, dtype: DType = .float32) {
    self.init(
      storage: Storage(bytes: Swift.max(dtype.byteCount(of: shape.elementCount), 1)), shape: shape, dtype: dtype)
  }

  /// Elements that `owner` keeps in memory (a mapped file), read-only and not copied. The pointer need not be aligned.
  package init(borrowing pointer: UnsafeRawPointer, shape: Shape, dtype: DType, from owner: AnyObject) {
    let bytes = dtype.byteCount(of: shape.elementCount)
    self.init(storage: Storage(borrowing: pointer, bytes: bytes, from: owner), shape: shape, dtype: dtype)
  }

  public var rank: Int { shape.count }
  public var count: Int { shape.elementCount }

  package var pointer: UnsafeMutableRawPointer { storage.pointer + dtype.byteCount(of: offset) }

  /// The elements of a float32 tensor.
  package var floats: UnsafeMutablePointer<Float> {
    precondition(dtype == .float32, "a \(dtype) tensor where float32 is required: use cast(.float32)")
    return pointer.assumingMemoryBound(to: Float.self)
  }
  /// The elements of an int32 tensor.
  package var integers: UnsafeMutablePointer<Int32> {
    precondition(dtype == .int32, "a \(dtype) tensor where int32 is required")
    return pointer.assumingMemoryBound(to: Int32.self)
  }
  /// The bit patterns of a bfloat16 or float16 tensor.
  package var halves: UnsafeMutablePointer<UInt16> {
    precondition(dtype == .bfloat16 || dtype == .float16, "a \(dtype) tensor where 16-bit floats are required")
    return pointer.assumingMemoryBound(to: UInt16.self)
  }

  /// The same elements detached from the graph: no gradient flows through.
  public func stopGradient() -> Tensor {
    var copy = self
    copy.node = nil
    return copy
  }
}

// MARK: Making tensors

extension Tensor {
  /// A tensor of these elements, in row-major order.
  public init<Element: TensorElement>(_ elements: [Element], _ shape: Shape? = nil) {
    let shape = shape ?? [elements.count]
    precondition(
      elements.count == shape.elementCount, "Tensor: \(elements.count) elements do not fill shape \(shape)")
    self.init(uninitialized: shape, dtype: Element.dtype)
    elements.withUnsafeBytes { if let base = $0.baseAddress { pointer.copyMemory(from: base, byteCount: $0.count) } }
  }

  /// A scalar.
  public init(_ value: Float) {
    self.init(uninitialized: [])
    floats[0] = value
  }

  public static func full(_ shape: Shape, _ value: Float) -> Tensor {
    let y = Tensor(uninitialized: shape)
    parallelFor(y.count, grain: elementGrain) { part in
      (y.floats + part.lowerBound).update(repeating: value, count: part.count)
    }
    return y
  }

  public static func zeros(_ shape: Shape, dtype: DType = .float32) -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: dtype)
    y.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: y.count * dtype.size)
    return y
  }

  public static func ones(_ shape: Shape) -> Tensor { full(shape, 1) }

  /// start, start + step, …: `count` numbers.
  public static func arange(_ count: Int, from start: Float = 0, step: Float = 1) -> Tensor {
    Tensor((0..<count).map { start + Float($0) * step })
  }
}

extension Tensor: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  public init(floatLiteral value: Float) { self.init(value) }
  public init(integerLiteral value: Int) { self.init(Float(value)) }
  /// A nested literal: `[[1, 2], [3, 4]]` has shape [2, 2].
  public init(arrayLiteral rows: Tensor...) {
    precondition(!rows.isEmpty, "an empty literal has no shape: use Tensor.zeros([0])")
    self = Tensor.stack(rows)
  }
}

// MARK: Reading tensors

extension Tensor {
  /// The elements in row-major order; converts if the tensor is of another type.
  public func array<Element: TensorElement>(of type: Element.Type = Float.self) -> [Element] {
    let source = cast(Element.dtype)
    return Array(
      UnsafeBufferPointer(start: source.pointer.assumingMemoryBound(to: Element.self), count: count))
  }

  /// The single element of a tensor that has one.
  public func item() -> Float {
    precondition(count == 1, "item: shape \(shape) has \(count) elements, not one")
    return dtype == .float32 ? floats[0] : array()[0]
  }
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    func text(_ values: ArraySlice<Float>, _ shape: ArraySlice<Int>) -> String {
      guard let size = shape.first else { return values.first.map { "\($0)" } ?? "" }
      let step = values.count / Swift.max(size, 1)
      let shown = size > 8 ? Array(0..<4) + Array(size - 3..<size) : Array(0..<size)
      let parts = shown.map { i in
        text(values[values.startIndex + i * step..<values.startIndex + (i + 1) * step], shape.dropFirst())
      }
      let joined = size > 8 ? parts[..<4] + ["…"] + parts[4...] : parts[...]
      return "[" + joined.joined(separator: ", ") + "]"
    }
    return "Tensor(\(dtype) \(shape): \(text(array()[...], Array(shape)[...])))"
  }
}
