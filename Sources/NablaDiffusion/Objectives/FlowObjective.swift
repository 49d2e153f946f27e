import NablaTensor

/// Conditional flow matching on straight lines (Lipman et al. 2023, equation 23; time from noise at 0 to data at 1):
///
///     x_t = t·x₁ + (1 - t)·x₀        loss = ‖network(x_t, t) - (x₁ - x₀)‖²        x₀ noise, x₁ data
public struct FlowObjective: DenoisingObjective {
  public let times: FlowTimes
  /// Moves the drawn times toward noise; 1 for none. A sampler's ``TimeSpacing/shifted(_:)`` is a separate shift, of
  /// its own steps: the two are independent, and neither is applied twice.
  public let shift: Double
  /// Whether noise is assigned to data by optimal transport within the batch.
  public let coupling: Bool

  public init(times: FlowTimes = .uniform, shift: Double = 1, coupling: Bool = false) {
    (self.times, self.shift, self.coupling) = (times, shift, coupling)
  }

  public func example(_ data: Tensor, random: inout RandomSource) -> DenoisingExample {
    let drawn = times.draw(data.shape[0], random: &random).map { shiftedFlowTime($0, by: shift) }
    let noise = random.normal(data.shape)
    // The noise is reordered, not the data: labels and captions stay with the data.
    return example(data, times: drawn, noise: coupling ? OptimalTransport.coupled(noise, to: data) : noise)
  }

  /// The same with given times and noise.
  public func example(_ data: Tensor, times: [Double], noise: Tensor) -> DenoisingExample {
    DenoisingExample(
      input: LinearFlow().noised(data, noise: noise, at: times), times: times, target: data - noise,
      weights: times.map { _ in 1 })
  }

  public func denoiser(_ network: @escaping DenoisingNetwork) -> Denoiser {
    Denoiser(predicting: .velocity) { x, step in network(x, everyRow(of: x, step.time)) }
  }
}
