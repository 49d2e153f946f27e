import NablaTensor

/// The training example nearest to each sample by Euclidean distance, to look for memorization. samples: [N, ...],
/// examples: [M, ...] → an index and a distance each.
public func nearestExamples(_ samples: Tensor, among examples: Tensor) -> [(index: Int, distance: Double)] {
  precondition(
    samples.shape.dropFirst().elementsEqual(examples.shape.dropFirst()) && examples.shape[0] > 0,
    "nearestExamples: samples \(samples.shape) among examples \(examples.shape)")
  let (x, y) = (samples.reshaped([samples.shape[0], -1]), examples.reshaped([examples.shape[0], -1]))
  // |y|² - 2x·y orders the examples like |x - y|²; the distance itself is then computed without cancellation.
  let order = y.square().sum(axis: 1).reshaped([1, -1]) - x.matmul(y, transposingOther: true) * 2
  return (-order).argmax(axis: 1).array(of: Int32.self).enumerated().map { row, index in
    (Int(index), (x[row] - y[Int(index)]).sumOfSquares().squareRoot())
  }
}
