import NablaTensor

/// How data are standardized to mean 0 and standard deviation 1 (or any other) for a network, and samples scaled back.
public struct DataScale: Sendable, Hashable, Codable {
  /// Of each column.
  public var mean: [Float]
  /// One for all columns, so that shapes keep their proportions.
  public var deviation: Float

  public init(mean: [Float], deviation: Float) { (self.mean, self.deviation) = (mean, deviation) }

  /// From data [N, d]. Constant data get a standard deviation of 1.
  public init(of data: Tensor) {
    precondition(
      data.rank == 2 && data.shape[0] > 0, "DataScale: the data must be rows of numbers, not shape \(data.shape)")
    let centered = data - data.mean(axis: 0, keepingDimension: true)
    let deviation = centered.square().mean().squareRoot().item()
    self.init(mean: data.mean(axis: 0).array(), deviation: deviation > 0 ? deviation : 1)
  }

  public func normalize(_ data: Tensor) -> Tensor { (data - Tensor(mean)) / Tensor(deviation) }
  public func restore(_ data: Tensor) -> Tensor { data * Tensor(deviation) + Tensor(mean) }
}
