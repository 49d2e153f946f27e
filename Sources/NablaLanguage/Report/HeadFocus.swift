import Glibc

/// What tells attention heads apart, in three numbers.
public struct HeadFocus: Codable, Sendable, Equatable {
  /// The largest weight of a row, averaged over rows.
  public var peak: Double
  /// The weight of a token on itself, averaged over rows.
  public var own: Double
  /// The share of weights below 0.01 among those that the mask leaves.
  public var sparsity: Double

  /// - Parameter weights: [T·T], row = query; finite.
  init(_ weights: [Float], tokenCount count: Int, isCausal: Bool) {
    (peak, own) = (0, 0)
    var (low, visible) = (0, 0)
    for query in 0..<count {
      let row = weights[query * count..<(isCausal ? query * count + query + 1 : (query + 1) * count)]
      peak += Double(row.max() ?? 0) / Double(count)
      own += Double(weights[query * count + query]) / Double(count)
      low += row.count { $0 < 0.01 }
      visible += row.count
    }
    sparsity = Double(low) / Double(max(1, visible))
  }
}

/// The mean entropy in nats of the rows of all heads, with logits divided by each temperature τ: a row's weights are then
/// proportional to w^(1/τ), so that its logits need not be known. Nil when a weight is not finite.
///
/// - Parameter heads: [T·T] each.
func meanEntropies(_ heads: [[Float]], tokenCount count: Int, temperatures: [Double]) -> [Double]? {
  guard heads.allSatisfy({ $0.allSatisfy(\.isFinite) }), !heads.isEmpty, count > 0 else { return nil }
  var sums = temperatures.map { _ in 0.0 }
  for weights in heads {
    for query in 0..<count {
      let row = weights[query * count..<(query + 1) * count]
      let largest = Double(row.max()!)
      // ln w below the largest of the row; masked weights are zero and stay so.
      let logs = row.filter { $0 > 0 }.map { log(Double($0) / largest) }
      for (index, temperature) in temperatures.enumerated() {
        var (sum, weighted) = (0.0, 0.0)
        for value in logs {
          let e = exp(value / temperature)
          sum += e
          weighted += e * value / temperature
        }
        // −Σ p ln p with p = e/Σe.
        if sum > 0 { sums[index] += log(sum) - weighted / sum }
      }
    }
  }
  return sums.map { $0 / Double(heads.count * count) }
}
