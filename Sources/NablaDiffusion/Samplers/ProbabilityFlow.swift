import NablaTensor

/// The ordinary differential equation whose solutions have the process's marginal distributions at every time (Song et
/// al. 2021, equation 13; for a flow, the flow itself):
///
///     dx/dt = α′(t)·x̂₀ + σ′(t)·ε̂
///
/// Backward it maps noise to data, forward data to noise: each data point corresponds to one noise point, and its
/// likelihood follows from the change of volume (`logLikelihood`).
public struct ProbabilityFlow: Sampler {
  public let process: any GaussianProcess
  public var solver: ODESolver

  public init(_ process: any GaussianProcess, solver: ODESolver = .heun) {
    (self.process, self.solver) = (process, solver)
  }

  /// dx/dt at a time. If the process is a flow and the network predicts its velocity, this is the network's prediction.
  public func velocity(_ x: Tensor, _ denoiser: Denoiser, at time: Double) -> Tensor {
    let step = process.step(at: time)
    let rate = process.rate(at: time)
    if denoiser.prediction == .velocity, denoiser.threshold == .none, denoiser.known == nil,
      rate == NoiseLevel(alpha: 1, sigma: -1)
    {
      return denoiser.output(x, at: step)
    }
    let estimate = denoiser(x, at: step)
    return rate.alpha * estimate.data + rate.sigma * estimate.noise
  }

  public func sample(
    _ x: Tensor, _ denoiser: Denoiser, along steps: [NoiseStep], random: inout RandomSource, observe: SamplingObserver
  ) -> Tensor {
    follow(x, denoiser, through: steps.map(\.time)) { observe($0, $1, $1) }
  }

  /// Follows the flow through times in either direction: from noise to data, or from data to their noise (for
  /// interpolation and editing).
  public func follow(
    _ x: Tensor, _ denoiser: Denoiser, through times: [Double], observe: (Int, Tensor) -> Void = { _, _ in }
  ) -> Tensor {
    solver.solve([x], through: times, { time, y in [velocity(y[0], denoiser, at: time)] }) { observe($0, $1[0]) }[0]
  }
}
