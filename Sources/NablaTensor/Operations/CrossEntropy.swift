import CNablaKernels

/// How cross-entropy treats its targets.
public struct CrossEntropyOptions: Sendable {
  /// ε: the target distribution is (1 - ε) on the target and ε spread evenly (Szegedy et al. 2016).
  public var labelSmoothing: Float = 0
  /// Weight of (ln Σ exp)², which keeps logits from drifting (PaLM, Chowdhery et al. 2022).
  public var zLoss: Float = 0
  /// Rows with this target are ignored.
  public var ignoreIndex: Int32 = -100

  public init(labelSmoothing: Float = 0, zLoss: Float = 0, ignoreIndex: Int32 = -100) {
    (self.labelSmoothing, self.zLoss, self.ignoreIndex) = (labelSmoothing, zLoss, ignoreIndex)
  }

  fileprivate var kernelOptions: nabla_cross_entropy_options {
    .init(label_smoothing: labelSmoothing, z_loss: zLoss, ignore_index: ignoreIndex)
  }
}

extension Tensor {
  /// Mean cross-entropy in nats over the rows that are not ignored (0 if all are): -ln softmax(self)[target].
  ///
  /// - Parameters:
  ///   - targets: [...] int32, for self: logits [..., n].
  ///   - weights: the weight of each row, [...]: the result is then the weighted sum. Nil for the mean. They have a
  ///     gradient: the rows' losses.
  ///   - options: the ignored target, label smoothing and z-loss.
  public func crossEntropy(
    _ targets: Tensor, weights: Tensor? = nil, options: CrossEntropyOptions = .init()
  ) -> Tensor {
    let n = shape.last!
    precondition(targets.count * n == count, "crossEntropy: targets \(targets.shape) for logits \(shape)")
    precondition(weights.map { $0.count == targets.count } ?? true, "crossEntropy: weights \(weights!.shape)")
    let rows = targets.count
    let counted = Tensor.checkTargets(targets, below: n, ignoreIndex: options.ignoreIndex)
    let work = stopGradient().cast(.float32).copy()
    let records = Tensor.isRecording(self)
    let losses = Tensor(uninitialized: [rows])
    let rowWeights = weights?.stopGradient().cast(.float32).reshaped([rows])
    parallelFor(rows, grain: rowGrain(n)) { part in
      let r = part.lowerBound
      nabla_cross_entropy(
        Int64(part.count), Int64(n), work.floats + r * n, targets.integers + r,
        rowWeights.map { UnsafePointer($0.floats + r) }, options.kernelOptions, records ? 1 : 0, losses.floats + r)
    }
    let scale = weights == nil ? 1 / Float(Swift.max(counted, 1)) : 1
    let sum = (rowWeights.map { losses * $0 } ?? losses).sum()
    let weightShape = weights?.shape
    return sum.scaledShifted(scale, 0).recorded(nodes: [node, weights?.node]) { dy, inputs in
      inputs[0]?.accumulate(work.scaledShifted(scale * dy.item(), 0))
      if let weightShape { inputs[1]?.accumulate(losses.scaledShifted(dy.item(), 0).reshaped(weightShape)) }
    }
  }

  /// Fused linear layer and cross-entropy, in chunks of rows: the logits [..., V] are never materialized as a whole.
  ///
  /// Gradients are computed while the logits of a chunk are in memory, in the forward pass, and scaled by the loss's
  /// own gradient in the backward pass (Hsu et al. 2024, "Liger Kernel"). Ignored rows cost nothing.
  ///
  /// - Parameters:
  ///   - weight: [V, C], for self: [..., C] hidden states; any type that `linear` takes.
  ///   - targets: [...] int32.
  ///   - weights: the weight of each row, [...], or nil for the mean over rows that are not ignored. They have a
  ///     gradient: the rows' losses.
  ///   - options: the ignored target, label smoothing and z-loss.
  /// - Returns: the weighted sum, or the mean, of the rows' cross-entropies in nats.
  public func linearCrossEntropy(
    _ weight: Tensor, targets: Tensor, weights: Tensor? = nil, options: CrossEntropyOptions = .init()
  ) -> Tensor {
    let (classes, width) = (weight.shape[0], shape.last!)
    let rows = targets.count
    precondition(
      weight.shape == [classes, width] && rows * width == count,
      "linearCrossEntropy: hidden \(shape), weight \(weight.shape), targets \(targets.shape)")
    precondition(weights.map { $0.count == rows } ?? true, "linearCrossEntropy: weights \(weights!.shape)")
    let counted = Tensor.checkTargets(targets, below: classes, ignoreIndex: options.ignoreIndex)
    let weights = (weights ?? Tensor.full([rows], 1 / Float(Swift.max(counted, 1)))).reshaped([rows])
    if counted < rows {
      let kept = Tensor.rowsWithTarget(targets, ignoreIndex: options.ignoreIndex)
      return reshaped([rows, width]).gather(kept).linearCrossEntropy(
        weight, targets: targets.reshaped([rows]).gather(kept), weights: weights.gather(kept), options: options)
    }
    let rowWeights = weights.stopGradient().cast(.float32)
    let hidden = stopGradient().inComputeType
    let w = LinearWeight(weight, for: hidden.dtype)
    let wantsHidden = Tensor.isRecording(self)
    let wantsWeight = Tensor.isRecording(weight)
    let dHidden = wantsHidden ? Tensor(uninitialized: shape, dtype: w.isStored ? .float32 : hidden.dtype) : nil
    let dWeight = wantsWeight ? Tensor(uninitialized: weight.shape) : nil
    let losses = Tensor(uninitialized: [rows])
    let chunk = Tensor.rowsPerChunk(classes: classes, rows: rows)
    for first in stride(from: 0, to: rows, by: chunk) {
      let part = Swift.min(chunk, rows - first)
      let logits = Tensor(uninitialized: [part, classes])
      w.multiply(hidden, from: first, rows: part, into: logits)
      parallelFor(part, grain: rowGrain(classes)) { range in
        let r = range.lowerBound
        nabla_cross_entropy(
          Int64(range.count), Int64(classes), logits.floats + r * classes, targets.integers + first + r,
          rowWeights.floats + first + r, options.kernelOptions, wantsHidden || wantsWeight ? 1 : 0,
          losses.floats + first + r)
      }
      guard wantsHidden || wantsWeight else { continue }
      let dLogits = logits.cast(hidden.dtype)
      if let dHidden {
        w.multiplyTransposed(dLogits, rows: part, into: dHidden, startC: first * width)
      }
      if let dWeight {
        MatrixProduct(m: classes, n: width, k: part).run(
          .matrix(dLogits, transposed: true), .columns(hidden, from: first * width, rowStride: width), into: dWeight,
          accumulating: first > 0)
      }
    }
    if rows == 0 { dWeight?.fillZero() }
    return (losses * rowWeights).sum().recorded([self, weight, weights]) { dy, inputs in
      let scale = dy.item()
      if let dHidden { inputs[0]?.accumulate(scale == 1 ? dHidden : dHidden.scaledShifted(scale, 0)) }
      if let dWeight { inputs[1]?.accumulate(scale == 1 ? dWeight : dWeight.scaledShifted(scale, 0)) }
      inputs[2]?.accumulate(losses.scaledShifted(scale, 0))
    }
  }

  /// Chunks of 32 MB of logits: large enough for efficient matrix multiplication, small compared with a model.
  static func rowsPerChunk(classes: Int, rows: Int) -> Int {
    Swift.max(1, Swift.min(rows, Swift.max(64, (8 << 20) / Swift.max(classes, 1))))
  }

  /// The number of rows that count.
  static func checkTargets(_ targets: Tensor, below classes: Int, ignoreIndex: Int32) -> Int {
    var counted = 0
    for i in 0..<targets.count where targets.integers[i] != ignoreIndex {
      let target = targets.integers[i]
      precondition(target >= 0 && target < classes, "target \(target) at row \(i) is outside 0..<\(classes)")
      counted += 1
    }
    return counted
  }

  /// The indices of the rows that are not ignored, int32 [n].
  static func rowsWithTarget(_ targets: Tensor, ignoreIndex: Int32) -> Tensor {
    Tensor((0..<targets.count).filter { targets.integers[$0] != ignoreIndex }.map(Int32.init))
  }
}
