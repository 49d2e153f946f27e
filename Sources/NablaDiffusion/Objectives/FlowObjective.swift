import NablaTensor

/// Conditional flow matching on straight lines (Lipman et al. 2023, equation 23; time from noise at 0 to data at 1):
///
///     x_t = t·x₁ + (1 - t)·x₀        loss = ‖network(x_t, t) - (x₁ - x₀)‖²        x₀ noise, x₁ data
public struct FlowObjective: DenoisingObjective {
  public let times: FlowTimes
  /// Moves the times drawn towards noise; 1 leaves them. A sampler's ``TimeSpacing/shifted(_:)`` is another shift, of its
  /// own steps: neither knows of the other, and neither is applied twice.
  public let shift: Double
  /// Whether noise is assigned to data by optimal transport within the batch.
  public let coupling: Bool

  public init(times: FlowTimes = .uniform, shift: Double = 1, coupling: Bool = false) {
    (self.times, self.shift, self.coupling) = (times, shift, coupling)
  }

  public func example(_ data: Tensor, random: inout RandomSource) -> DenoisingExample {
    let drawn = times.draw(data.shape[0], random: &random).map { shiftedFlowTime($0, by: shift) }
    let noise = random.normal(data.shape)
    // The noise is put in order, not the data: their labels and captions stay with them.
    return example(data, times: drawn, noise: coupling ? OptimalTransport.coupled(noise, to: data) : noise)
  }

  /// The same with times and noise given.
  public func example(_ data: Tensor, times: [Double], noise: Tensor) -> DenoisingExample {
    DenoisingExample(
      input: LinearFlow().noised(data, noise: noise, at: times), times: times, target: data - noise,
      weights: times.map { _ in 1 })
  }

  public func denoiser(_ network: @escaping DenoisingNetwork) -> Denoiser {
    Denoiser(predicting: .velocity) { x, step in network(x, everyRow(of: x, step.time)) }
  }
}
