import Glibc

/// The power laws of Kaplan et al. (2020), "Scaling Laws for Neural Language Models". N counts parameters without
/// embeddings and output layer.
///
///     L(N) = (N_c / N)^α_N            trained to convergence on ample data
///     L(D) = (D_c / D)^α_D            a large model stopped early on D tokens
///     L(C) = (C_c / C)^α_C            compute-optimal training
///     L(N, D) = ((N_c / N)^(α_N/α_D) + D_c / D)^α_D
///
/// The laws have no irreducible loss, so they cannot hold far beyond the data: they predict arbitrarily low losses.
public struct Kaplan: ScalingLaw, Hashable, Codable {
  /// One straight line in log-log axes: L(x) = (scale / x)^exponent.
  public struct PowerLaw: Sendable, Hashable, Codable {
    public var exponent: Double
    /// In the unit of x.
    public var scale: Double

    public init(exponent: Double, scale: Double) {
      self.exponent = exponent
      self.scale = scale
    }

    public func callAsFunction(_ x: Double) -> Double { pow(scale / x, exponent) }
  }

  /// L(N), N without embeddings.
  public var parameters: PowerLaw
  /// L(D), in tokens.
  public var tokens: PowerLaw
  /// L(C), in FLOP.
  public var compute: PowerLaw
  /// The constants of L(N, D), fitted together.
  public var jointParameters: PowerLaw
  public var jointTokens: PowerLaw
  /// N = optimalSize · (C in PF-days)^sizeExponent.
  public var optimalSize: Double
  public var sizeExponent: Double

  public func loss(parameters: Double, tokens: Double) -> Double {
    let (n, d) = (jointParameters, jointTokens)
    return pow(pow(n.scale / parameters, n.exponent / d.exponent) + d.scale / tokens, d.exponent)
  }

  /// N from the paper's N(C) = 1.3·10⁹ C^0.73 (appendix A, table 6; C in PF-days), D from 6ND = C. The paper's own D(C)
  /// is for training at the critical batch size, which uses more tokens than this.
  public func optimalAllocation(compute: Double) -> Allocation {
    let size = optimalSize * pow(Compute.petaflopDays(flop: compute), sizeExponent)
    return Allocation(parameters: size, tokens: compute / (6 * size))
  }
}

extension Kaplan {
  /// The constants of the paper: equations 1.1 to 1.3, table 2 (joint) and table 6 (optimal size).
  public static let kaplan2020 = Kaplan(
    parameters: PowerLaw(exponent: 0.076, scale: 8.8e13),
    tokens: PowerLaw(exponent: 0.095, scale: 5.4e13),
    compute: PowerLaw(exponent: 0.050, scale: 3.1e8 * Compute.petaflopDay),
    jointParameters: PowerLaw(exponent: 0.076, scale: 6.4e13),
    jointTokens: PowerLaw(exponent: 0.103, scale: 1.8e13),
    optimalSize: 1.3e9, sizeExponent: 0.73)
}
