import NablaTensor

/// A scalar times a tensor, without a tensor for the scalar.
func * (factor: Double, x: Tensor) -> Tensor { x.scaledShifted(Float(factor), 0) }

/// One number per row of x [B, ...], in a broadcastable shape: [B, 1, ...].
func perRow(_ values: [Double], like x: Tensor) -> Tensor {
  precondition(values.count == x.shape[0], "\(values.count) noise levels for \(x.shape[0]) rows of shape \(x.shape)")
  return Tensor(values.map(Float.init), Shape([values.count] + Array(repeating: 1, count: x.rank - 1)))
}

extension GaussianProcess {
  /// x_t of each row: α·x₀ + σ·ε.
  public func noised(_ data: Tensor, noise: Tensor, at times: [Double]) -> Tensor {
    NablaDiffusion.noised(data, noise: noise, levels: times.map { level(at: $0) })
  }
}

/// α·x₀ + σ·ε, each row at its level. data, noise: [B, ...].
public func noised(_ data: Tensor, noise: Tensor, levels: [NoiseLevel]) -> Tensor {
  perRow(levels.map(\.alpha), like: data) * data + perRow(levels.map(\.sigma), like: data) * noise
}
