// Access to elements for C. A pointer into a tensor is valid only while the tensor is alive: these methods pass it to
// a closure, and keep the tensor alive until the closure returns.
extension Tensor {
  /// Takes a copy if anything else references the memory, which may then be written to.
  package mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&storage) { self = copy() }
  }

  /// Passes the elements of a float32 tensor, in row-major order. The pointer must not be used after `body` returns.
  ///
  /// ```swift
  /// let largest = x.withFloats { $0.max() }
  /// ```
  public func withFloats<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(start: floats, count: count))
  }

  /// The same for an int32 tensor.
  public func withIntegers<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<Int32>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(start: integers, count: count))
  }

  /// A float32 tensor of a shape whose elements `fill` writes, all of them: they are undefined before.
  public init<Failure: Error>(
    _ shape: Shape, filledBy fill: (UnsafeMutableBufferPointer<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    self.init(uninitialized: shape)
    defer { withExtendedLifetime(storage) {} }
    try fill(UnsafeMutableBufferPointer(start: floats, count: count))
  }
}
