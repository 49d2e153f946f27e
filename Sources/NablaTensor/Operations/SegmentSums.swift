// Sequences of different lengths, one after the other without padding: [n] for lengths that add up to n.
extension Tensor {
  /// The sum of each segment, accumulated in float64. [n] → [lengths.count].
  public func segmentSums(_ lengths: [Int]) -> Tensor {
    Tensor.checkSegments("segmentSums", lengths, shape)
    let x = stopGradient().cast(.float32)
    let y = Tensor(uninitialized: [lengths.count])
    var start = 0
    for (i, length) in lengths.enumerated() {
      var sum = 0.0
      for j in start..<start + length { sum += Double(x.floats[j]) }
      y.floats[i] = Float(sum)
      start += length
    }
    return y.recorded(self) { dy, inputs in inputs[0]?.accumulate(dy.repeated(lengths)) }
  }

  /// The mean of each segment; 0 for an empty one. [n] → [lengths.count].
  public func segmentMeans(_ lengths: [Int]) -> Tensor {
    segmentSums(lengths) / Tensor(lengths.map { Float(Swift.max($0, 1)) })
  }

  /// Each element repeated for the length of its segment: [lengths.count] → [n].
  public func repeated(_ lengths: [Int]) -> Tensor {
    precondition(shape == [lengths.count], "repeated: \(lengths.count) lengths for shape \(shape)")
    let x = stopGradient().cast(.float32)
    let y = Tensor(uninitialized: [lengths.reduce(0, +)])
    var start = 0
    for (i, length) in lengths.enumerated() {
      (y.floats + start).update(repeating: x.floats[i], count: length)
      start += length
    }
    return y.recorded(self) { dy, inputs in inputs[0]?.accumulate(dy.segmentSums(lengths)) }
  }

  private static func checkSegments(_ operation: StaticString, _ lengths: [Int], _ shape: Shape) {
    let total = lengths.reduce(0, +)
    precondition(
      shape == [total] && lengths.allSatisfy { $0 >= 0 },
      "\(operation): lengths that add up to \(total) for shape \(shape)")
  }
}
