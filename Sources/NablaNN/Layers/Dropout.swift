import NablaTensor

/// Sets elements to 0 with probability `p`, and divides the others by 1 - p (Srivastava et al. 2014).
public final class Dropout: Module {
  public let p: Float

  public init(_ p: Float = 0.5) {
    precondition(p >= 0 && p < 1, "Dropout: a probability of \(p) is not in 0..<1")
    self.p = p
  }

  /// - Parameters:
  ///   - x: of any shape.
  ///   - random: the random source in training; nil otherwise, where x passes through unchanged.
  public func callAsFunction(_ x: Tensor, random: inout RandomSource?) -> Tensor {
    guard p > 0, random != nil else { return x }
    return x.dropout(p, random: &random!)
  }
}
