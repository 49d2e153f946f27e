import NablaTensor

/// A table of vectors, looked up by index. weight: [count, width].
public final class Embedding: Module {
  @Parameter public var weight: Tensor

  public init(_ count: Int, _ width: Int, standardDeviation: Float = 1, random: inout RandomSource) {
    weight = random.normal([count, width], standardDeviation: standardDeviation)
  }

  /// indices: [...] int32 → [..., width] float32. Of a table in a smaller type only these rows are upcast.
  public func callAsFunction(_ indices: Tensor) -> Tensor { weight.gather(indices).cast(.float32) }
}
