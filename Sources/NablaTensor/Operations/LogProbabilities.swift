import CNablaKernels

extension Tensor {
  /// ln softmax(self · weightᵀ / temperature)[target] of each row: what DPO, GRPO and PPO sum. The logits [..., V] are
  /// never materialized as a whole: they are computed in chunks of rows, and again in the backward pass for the
  /// gradients of entropies and of the weight. Ignored rows cost nothing.
  ///
  /// - Parameters:
  ///   - weight: [V, C], for self: [..., C] hidden states; any type that `linear` takes.
  ///   - targets: [...] int32.
  ///   - temperature: the divisor of the logits, as in the sampling that chose the targets.
  ///   - ignoreIndex: the target of rows that are ignored.
  /// - Returns: [...] float32 in nats; ignored rows give 0.
  public func linearLogProbabilities(
    _ weight: Tensor, targets: Tensor, temperature: Float = 1, ignoreIndex: Int32 = -100
  ) -> Tensor {
    linearDistribution(weight, targets, temperature, ignoreIndex)[0]
  }

  /// The same, and also the entropy -Σ p ln p of each row's distribution, in nats. Both have gradients.
  public func linearLogProbabilitiesAndEntropies(
    _ weight: Tensor, targets: Tensor, temperature: Float = 1, ignoreIndex: Int32 = -100
  ) -> (logProbabilities: Tensor, entropies: Tensor) {
    let both = linearDistribution(weight, targets, temperature, ignoreIndex)
    return (both[0], both[1])
  }

  /// The same from logits themselves, self: [..., n].
  public func logProbabilitiesAndEntropies(
    targets: Tensor, temperature: Float = 1, ignoreIndex: Int32 = -100
  ) -> (logProbabilities: Tensor, entropies: Tensor) {
    let (n, rows) = (shape.last!, targets.count)
    precondition(rows * n == count, "logProbabilities: targets \(targets.shape) for logits \(shape)")
    precondition(temperature > 0, "logProbabilities: a temperature of \(temperature)")
    _ = Tensor.checkTargets(targets, below: n, ignoreIndex: ignoreIndex)
    let logits = stopGradient().cast(.float32)
    let result = Tensor(uninitialized: Shape([2] + Array(targets.shape)))
    /// Fills `result`, and `work` with the logits' gradients if those of the results are given.
    @Sendable func run(_ work: Tensor, gradient: Tensor?, into result: Tensor) {
      parallelFor(rows, grain: rowGrain(n)) { part in
        let r = part.lowerBound
        nabla_log_probabilities(
          Int64(part.count), Int64(n), work.floats + r * n, targets.integers + r, ignoreIndex, 1 / temperature,
          gradient.map { UnsafePointer($0.floats + r) }, gradient.map { UnsafePointer($0.floats + rows + r) },
          result.floats + r, result.floats + rows + r)
      }
    }
    run(logits, gradient: nil, into: result)
    let both = result.recorded(self) { dy, inputs in
      let work = logits.copy()
      run(work, gradient: dy.cast(.float32), into: Tensor(uninitialized: dy.shape))
      inputs[0]?.accumulate(work)
    }
    return (both[0], both[1])
  }

  /// [2, ...]: log-probabilities and entropies.
  private func linearDistribution(
    _ weight: Tensor, _ targets: Tensor, _ temperature: Float, _ ignoreIndex: Int32
  ) -> Tensor {
    let (classes, width) = (weight.shape[0], shape.last!)
    let rows = targets.count
    precondition(
      weight.shape == [classes, width] && rows * width == count,
      "linearLogProbabilities: hidden \(shape), weight \(weight.shape), targets \(targets.shape)")
    precondition(temperature > 0, "linearLogProbabilities: a temperature of \(temperature)")
    if Tensor.checkTargets(targets, below: classes, ignoreIndex: ignoreIndex) < rows {
      let kept = Tensor.rowsWithTarget(targets, ignoreIndex: ignoreIndex)
      let values = reshaped([rows, width]).gather(kept).linearDistribution(
        weight, targets.reshaped([rows]).gather(kept), temperature, ignoreIndex)
      return Tensor.zeros([rows, 2]).scatterAdd(kept, values.transposed()).transposed()
        .reshaped(Shape([2] + Array(targets.shape)))
    }
    let hidden = stopGradient().inComputeType
    let w = LinearWeight(weight, for: hidden.dtype)
    let chunk = Tensor.rowsPerChunk(classes: classes, rows: rows)
    let result = Tensor(uninitialized: Shape([2] + Array(targets.shape)))

    /// The logits of rows first..<first + part, or their gradients if those of the results are given: [2, rows].
    @Sendable func logits(_ first: Int, _ part: Int, gradient: Tensor?, into result: Tensor) -> Tensor {
      let logits = Tensor(uninitialized: [part, classes])
      w.multiply(hidden, from: first, rows: part, into: logits)
      parallelFor(part, grain: rowGrain(classes)) { range in
        let (r, place) = (range.lowerBound, first + range.lowerBound)
        nabla_log_probabilities(
          Int64(range.count), Int64(classes), logits.floats + r * classes, targets.integers + place, ignoreIndex,
          1 / temperature, gradient.map { UnsafePointer($0.floats + place) },
          gradient.map { UnsafePointer($0.floats + rows + place) }, result.floats + place, result.floats + rows + place)
      }
      return logits
    }

    // While the logits of a chunk are there: d ln p / d hidden of each row, if that is all that will be asked for.
    let slopes: Tensor? =
      Tensor.isRecording(self) && weight.node == nil
      ? Tensor(uninitialized: [rows, width], dtype: w.isStored ? .float32 : hidden.dtype) : nil
    let ofLogProbabilities = slopes.map { _ in Tensor.concatenate([.ones([rows]), .zeros([rows])]) }
    for first in stride(from: 0, to: rows, by: chunk) {
      let part = Swift.min(chunk, rows - first)
      let values = logits(first, part, gradient: ofLogProbabilities, into: result)
      if let slopes {
        w.multiplyTransposed(values.cast(hidden.dtype), rows: part, into: slopes, startC: first * width)
      }
    }
    return result.recorded(self, weight) { dy, inputs in
      let dy = dy.cast(.float32).reshaped([2, rows])
      if let slopes, dy[1].array().allSatisfy({ $0 == 0 }) {
        inputs[0]?.accumulate((slopes.cast(.float32) * dy[0].reshaped([rows, 1])).reshaped(hidden.shape))
        return
      }
      let again = Tensor(uninitialized: dy.shape)
      let dHidden =
        inputs[0] == nil ? nil : Tensor(uninitialized: hidden.shape, dtype: w.isStored ? .float32 : hidden.dtype)
      func backward(_ dWeight: Tensor?, adds: Bool) {
        for first in stride(from: 0, to: rows, by: chunk) {
          let part = Swift.min(chunk, rows - first)
          let dLogits = logits(first, part, gradient: dy, into: again).cast(hidden.dtype)
          if let dHidden { w.multiplyTransposed(dLogits, rows: part, into: dHidden, startC: first * width) }
          if let dWeight {
            MatrixProduct(m: classes, n: width, k: part).run(
              .matrix(dLogits, transposed: true), .columns(hidden, from: first * width, rowStride: width),
              into: dWeight, accumulating: adds || first > 0)
          }
        }
      }
      if let node = inputs[1] {
        node.accumulate(inPlace: { target, adds in
          if rows == 0 && !adds { target.fillZero() }
          backward(target, adds: adds)
        })
      } else {
        backward(nil, adds: false)
      }
      if let dHidden { inputs[0]?.accumulate(dHidden) }
    }
  }
}
