// Losses between predictions (self) and targets of the same shape, averaged over all elements.
extension Tensor {
  /// Mean squared error: (x - t)². One graph node: small networks spend their time on nodes, not on arithmetic.
  public func meanSquaredError(_ targets: Tensor) -> Tensor {
    guard dtype == .float32, targets.dtype == .float32, shape == targets.shape, count > 0 else {
      return (self - targets).square().mean()
    }
    let difference = stopGradient() - targets.stopGradient()
    return Tensor(Float(difference.sumOfSquares() / Double(count))).recorded(self, targets) { dy, inputs in
      let slope = 2 * dy.item() / Float(difference.count)
      inputs[0]?.accumulate(difference * Tensor(slope))
      inputs[1]?.accumulate(difference * Tensor(-slope))
    }
  }

  /// Binary cross-entropy from logits, in nats: softplus(x) - x·t, which never overflows.
  public func binaryCrossEntropyWithLogits(_ targets: Tensor) -> Tensor { (softplus() - self * targets).mean() }

  /// Huber's loss: (x - t)²/2 within `delta`, delta·(|x - t| - delta/2) beyond.
  public func huberLoss(_ targets: Tensor, delta: Float = 1) -> Tensor {
    let distance = (self - targets).abs()
    let near = distance.clamped(to: 0...delta)
    // near²/2 + delta·(distance - near) is both cases at once.
    return (near.square() * 0.5 + (distance - near) * Tensor(delta)).mean()
  }
}
