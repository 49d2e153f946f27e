// Losses between predictions (self) and targets of the same shape, averaged over all elements.
extension Tensor {
  /// Mean squared error: (x - t)².
  public func meanSquaredError(_ targets: Tensor) -> Tensor { (self - targets).square().mean() }

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
