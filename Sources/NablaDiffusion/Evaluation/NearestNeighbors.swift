import NablaTensor

/// The training example nearest to each sample by Euclidean distance, to look for memorization. samples: [N, ...],
/// examples: [M, ...] → an index and a distance each.
public func nearestExamples(_ samples: Tensor, among examples: Tensor) -> [(index: Int, distance: Double)] {
  precondition(
    samples.shape.dropFirst().elementsEqual(examples.shape.dropFirst()) && examples.shape[0] > 0,
    "nearestExamples: samples \(samples.shape) among examples \(examples.shape)")
  let (x, y) = (samples.reshaped([samples.shape[0], -1]), examples.reshaped([examples.shape[0], -1]))
  let squares = y.square().sum(axis: 1).reshaped([1, -1])
  // In parts, in bounded memory.
  return stride(from: 0, to: x.shape[0], by: 256).flatMap { start in
    let part = x[start..<min(start + 256, x.shape[0])]
    // |y|² - 2x·y orders the examples like |x - y|²; the distance itself is then computed without cancellation.
    let order = squares - part.matmul(y, transposingOther: true) * 2
    return (-order).argmax(axis: 1).array(of: Int32.self).enumerated().map { row, index in
      (Int(index), (part[row] - y[Int(index)]).sumOfSquares().squareRoot())
    }
  }
}
