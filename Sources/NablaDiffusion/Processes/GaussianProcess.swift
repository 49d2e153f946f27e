/// A process in continuous time that adds Gaussian noise: x_t = α(t)·x₀ + σ(t)·ε.
///
/// Everything a sampler needs follows from the pair (α, σ) and its derivative (Kingma et al. 2021, "Variational
/// diffusion models"; Song et al. 2021, "Score-based generative modeling through SDEs"): the forward stochastic
/// differential equation is dx = f·x dt + g dw with
///
///     f = α′/α        g² = 2σσ′ - 2fσ²
///
/// and the ordinary one with the same marginal distributions (the probability flow) is dx/dt = α′·x̂₀ + σ′·ε̂.
public protocol GaussianProcess: Sendable {
  /// The time of no noise, or of as little as the process can resolve.
  var cleanTime: Double { get }
  /// The time at which sampling starts.
  var noisyTime: Double { get }
  func level(at time: Double) -> NoiseLevel
  /// (α′, σ′): the derivative of the level by time.
  func rate(at time: Double) -> NoiseLevel
  /// The time at which σ/α has this value.
  func time(noiseRatio: Double) -> Double
}

extension GaussianProcess {
  /// f(t): the drift coefficient of the forward equation.
  public func drift(at time: Double) -> Double { rate(at: time).alpha / level(at: time).alpha }

  /// g²(t) ≥ 0: the variance added by noise per unit of time, in the direction of growing noise.
  public func squaredDiffusion(at time: Double) -> Double {
    let (level, rate) = (level(at: time), rate(at: time))
    return abs(2 * level.sigma * rate.sigma - 2 * drift(at: time) * level.sigma * level.sigma)
  }

  public func step(at time: Double) -> NoiseStep { NoiseStep(time: time, level: level(at: time)) }
}
