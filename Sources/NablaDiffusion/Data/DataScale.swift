import NablaTensor

/// How data are standardized to mean 0 and standard deviation 1 (or any other) for a network, and samples scaled back.
public struct DataScale: Sendable, Hashable, Codable {
  /// Of each column.
  public var mean: [Float]
  /// Of each column.
  public var deviations: [Float]

  public init(mean: [Float], deviations: [Float]) { (self.mean, self.deviations) = (mean, deviations) }

  /// From data [N, d]. Constant data get a standard deviation of 1.
  ///
  /// - Parameters:
  ///   - data: rows of numbers.
  ///   - separately: a deviation for each column, as in tables, whose columns have units of their own; otherwise one for
  ///     all, so that shapes keep their proportions.
  public init(of data: Tensor, separately: Bool = false) {
    precondition(
      data.rank == 2 && data.shape[0] > 0, "DataScale: the data must be rows of numbers, not shape \(data.shape)")
    let squares = (data - data.mean(axis: 0, keepingDimension: true)).square()
    let variances =
      separately ? squares.mean(axis: 0).array() : Array(repeating: squares.mean().item(), count: data.shape[1])
    self.init(mean: data.mean(axis: 0).array(), deviations: variances.map { $0 > 0 ? $0.squareRoot() : 1 })
  }

  public func normalize(_ data: Tensor) -> Tensor { (data - Tensor(mean)) / Tensor(deviations) }
  public func restore(_ data: Tensor) -> Tensor { data * Tensor(deviations) + Tensor(mean) }
}
