import Glibc
import NablaTensor

/// Flow matching on straight lines (Lipman et al. 2023, "Flow matching for generative modeling"; Liu et al. 2023,
/// "Flow straight and fast": rectified flow):
///
///     x_t = t·x₁ + (1 - t)·x₀        dx/dt = x₁ - x₀        x₀ noise, x₁ data
///
/// **Time runs from noise at 0 to data at 1.** Diffusers and others use the opposite direction: their time is 1 - t (or
/// 1000·(1 - t)) and their velocity is noise - data, the negative of ours.
public struct LinearFlow: GaussianProcess, Hashable {
  public init() {}

  public var cleanTime: Double { 1 }
  public var noisyTime: Double { 0 }
  public func level(at t: Double) -> NoiseLevel { NoiseLevel(alpha: t, sigma: 1 - t) }
  public func rate(at t: Double) -> NoiseLevel { NoiseLevel(alpha: 1, sigma: -1) }
  public func time(noiseRatio: Double) -> Double { 1 / (1 + noiseRatio) }
}

/// The distribution of training times in flow matching.
public enum FlowTimes: Sendable, Hashable, Codable {
  /// Uniform.
  case uniform
  /// t = σ(u), u ~ N(mean, deviation²): the middle, where the direction is hardest to predict, more often than the ends
  /// (Esser et al. 2024, "Scaling rectified flow transformers").
  case logitNormal(mean: Double = 0, deviation: Double = 1)

  public func draw(_ rows: Int, random: inout RandomSource) -> [Double] {
    switch self {
    case .uniform: return (0..<rows).map { _ in random.uniform() }
    case .logitNormal(let mean, let deviation):
      return random.normal([rows]).array(of: Double.self).map { 1 / (1 + exp(-(mean + deviation * $0))) }
    }
  }
}

/// Moves times toward noise: (1 - t) → s(1 - t)/(1 + (s - 1)(1 - t)), s > 1 for large images, in which noise hides less
/// (Esser et al. 2024, equation 23). Once: `shift(shift(t, s), s)` is a shift by s².
public func shiftedFlowTime(_ t: Double, by s: Double) -> Double {
  precondition(s > 0, "a shift of \(s); it must be positive")
  return t / (t + s * (1 - t))
}
