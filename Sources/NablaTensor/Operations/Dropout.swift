import CNablaKernels

extension Tensor {
  /// Sets each element to 0 with probability `p` and divides the others by 1 - p (Srivastava et al. 2014).
  /// The backward pass draws the same numbers again instead of storing a mask.
  public func dropout(_ p: Float, random: inout RandomSource) -> Tensor {
    precondition(p >= 0 && p < 1, "dropout: a probability of \(p) is not in 0..<1")
    if p == 0 { return self }
    let state = random.dropoutState(count)
    @Sendable func masked(_ x: Tensor) -> Tensor {
      let x = x.stopGradient()
      let floats = x.cast(.float32)
      let y = Tensor(uninitialized: x.shape)
      parallelFor(x.count, grain: elementGrain) { part in
        let i = part.lowerBound
        nabla_dropout(
          state.key, state.stream, state.counter, Int64(i), Int64(part.count), p, floats.floats + i, y.floats + i)
      }
      return y.cast(x.dtype)
    }
    return masked(self).recorded(self) { dy, inputs in inputs[0]?.accumulate(masked(dy)) }
  }
}
