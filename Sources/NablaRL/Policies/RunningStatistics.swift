/// The mean and variance of all numbers seen so far, column by column, from batches (Chan, Golub & LeVeque 1979).
public struct RunningStatistics: Codable, Sendable, Hashable {
  public private(set) var mean: [Double]
  public private(set) var variance: [Double]
  public private(set) var count: Double

  /// Starts as if a handful of numbers of mean 0 and variance 1 had been seen, so that the first batches do not divide
  /// by small numbers.
  public init(width: Int) {
    mean = Array(repeating: 0, count: width)
    variance = Array(repeating: 1, count: width)
    count = 1e-4
  }

  /// Adds rows of numbers, [rows, width].
  public mutating func add(_ rows: UnsafeBufferPointer<Float>) {
    let width = mean.count
    let number = rows.count / width
    guard number > 0 else { return }
    let total = count + Double(number)
    for c in 0..<width {
      var sum = 0.0
      for r in 0..<number { sum += Double(rows[r * width + c]) }
      let average = sum / Double(number)
      var squares = 0.0
      for r in 0..<number {
        let distance = Double(rows[r * width + c]) - average
        squares += distance * distance
      }
      let delta = average - mean[c]
      mean[c] += delta * Double(number) / total
      variance[c] = (variance[c] * count + squares + delta * delta * count * Double(number) / total) / total
    }
    count = total
  }

  /// (x - mean) / √(variance + 1e-8), clipped to ±limit. Works in place: to may be from.
  public func normalize(
    _ from: UnsafeBufferPointer<Float>, into to: UnsafeMutablePointer<Float>, limit: Float
  ) {
    let width = mean.count
    for c in 0..<width {
      let (center, scale) = (Float(mean[c]), Float(1 / (variance[c] + 1e-8).squareRoot()))
      for i in stride(from: c, to: from.count, by: width) {
        to[i] = min(max((from[i] - center) * scale, -limit), limit)
      }
    }
  }
}
