import CNablaKernels

extension Tensor {
  /// Group normalization (Wu & He 2018): channels in `groups` groups, each normalized over its channels and positions,
  /// (x - mean)/√(variance + ε) · weight + bias. Computed in float32.
  ///
  /// - Parameters:
  ///   - groups: a divisor of C.
  ///   - weight: [C] for self [B, C, ...], or nil for 1.
  ///   - bias: [C], or nil for 0.
  ///   - epsilon: ε.
  public func groupNorm(groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Float = 1e-5) -> Tensor {
    precondition(
      rank >= 2 && groups > 0 && shape[1] % groups == 0,
      "groupNorm: \(groups) groups of the channels of shape \(shape)")
    let channels = shape[1]
    for parameter in [weight, bias] {
      precondition(
        parameter.map { $0.shape == [channels] } ?? true, "groupNorm: parameter \(parameter!.shape) for \(shape)")
    }
    let x = stopGradient().cast(.float32)
    let (w, b) = (weight?.stopGradient().cast(.float32), bias?.stopGradient().cast(.float32))
    let area = shape.dropFirst(2).reduce(1, *)
    let problem = nabla_group_norm_sizes(
      groups: Int64(groups), channels: Int64(channels / groups), area: Int64(area))
    let rows = channels == 0 || area == 0 ? 0 : shape[0] * groups
    let statistics = Tensor(uninitialized: [2, rows])
    let y = Tensor(uninitialized: shape)
    let grain = rowGrain(channels / groups * area)
    parallelFor(rows, grain: grain) { part in
      nabla_group_norm(
        problem, Int64(part.lowerBound), Int64(part.upperBound), x.floats, w?.floats, b?.floats, epsilon, y.floats,
        statistics.floats, statistics.floats + rows)
    }
    return y.recorded([self] + (weight.map { [$0] } ?? []) + (bias.map { [$0] } ?? [])) { dy, inputs in
      let dy = dy.cast(.float32)
      let dx = Tensor(uninitialized: x.shape)
      let parts = Tensor.zeros([2, x.shape[0], channels])
      parallelFor(rows, grain: grain) { part in
        nabla_group_norm_backward(
          problem, Int64(part.lowerBound), Int64(part.upperBound), x.floats, w?.floats, statistics.floats,
          statistics.floats + rows, dy.floats, dx.floats, parts.floats, parts.floats + parts.count / 2)
      }
      inputs[0]?.accumulate(dx)
      if w != nil { inputs[1]?.accumulate(parts[0].sum(axis: 0)) }
      if b != nil { inputs[inputs.count - 1]?.accumulate(parts[1].sum(axis: 0)) }
    }
  }
}
