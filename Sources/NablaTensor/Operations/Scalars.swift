// Tensor operations with a scalar on either side, in float32. Literals are tensors already (`2 * x`), so these
// overloads are disfavored where both would apply.
extension Tensor {
  @_disfavoredOverload
  public static func + (a: Tensor, b: Float) -> Tensor { a.scaledShifted(1, b) }
  @_disfavoredOverload
  public static func + (a: Float, b: Tensor) -> Tensor { b.scaledShifted(1, a) }
  @_disfavoredOverload
  public static func - (a: Tensor, b: Float) -> Tensor { a.scaledShifted(1, -b) }
  @_disfavoredOverload
  public static func - (a: Float, b: Tensor) -> Tensor { b.scaledShifted(-1, a) }
  @_disfavoredOverload
  public static func * (a: Tensor, b: Float) -> Tensor { a.scaledShifted(b, 0) }
  @_disfavoredOverload
  public static func * (a: Float, b: Tensor) -> Tensor { b.scaledShifted(a, 0) }
  @_disfavoredOverload
  public static func / (a: Tensor, b: Float) -> Tensor { a / Tensor(b) }
  @_disfavoredOverload
  public static func / (a: Float, b: Tensor) -> Tensor { Tensor(a) / b }
}
