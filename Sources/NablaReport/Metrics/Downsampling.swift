import Glibc

extension [RunMetrics.Point] {
  /// At most `limit` of these points, such that a chart looks the same: of each bucket of neighbors the lowest and the
  /// highest stay, so no spike is lost; the first and the last point stay. Linear time.
  ///
  /// - Parameter limit: At least 4.
  func downsampled(to limit: Int) -> [RunMetrics.Point] {
    precondition(limit >= 4, "downsampled(to:): the limit must be at least 4")
    guard count > limit else { return self }
    let interior = dropFirst().dropLast()
    let bucketCount = (limit - 2) / 2
    var kept = [self[0]]
    kept.reserveCapacity(limit)
    for index in 0..<bucketCount {
      let start = 1 + index * interior.count / bucketCount
      let end = 1 + (index + 1) * interior.count / bucketCount
      let lowest = (start..<end).min { self[$0].value < self[$1].value }!
      let highest = (start..<end).max { self[$0].value < self[$1].value }!
      kept.append(self[Swift.min(lowest, highest)])
      if lowest != highest { kept.append(self[Swift.max(lowest, highest)]) }
    }
    kept.append(self[count - 1])
    return kept
  }

  /// The trend: an exponential moving average with a window of about `span` points, taken forward and then backward, so
  /// that it does not lag behind.
  package func smoothed(span: Int) -> [RunMetrics.Point] {
    let backward = movingAverage(span: span).reversed()
    return Array(backward).movingAverage(span: span).reversed()
  }

  /// The exponential moving average with α = 2 / (span + 1), corrected for its start as in Adam (Kingma & Ba 2015,
  /// section 3), so that the first points are not pulled toward zero.
  private func movingAverage(span: Int) -> [RunMetrics.Point] {
    let decay = 1 - 2 / (Double(span) + 1)
    var sum = 0.0
    var weight = 0.0
    return map { point in
      sum = decay * sum + (1 - decay) * point.value
      weight = decay * weight + (1 - decay)
      return RunMetrics.Point(step: point.step, value: sum / weight)
    }
  }
}

extension Double {
  /// The nearest number with so many significant decimal digits.
  package func rounded(digits: Int) -> Double {
    guard isFinite, self != 0 else { return self }
    let places = Double(digits - 1) - log10(magnitude).rounded(.down)
    // Beyond these the scale would overflow.
    guard places.magnitude < 290 else { return self }
    let scale = pow(10, places.magnitude)
    return places >= 0 ? (self * scale).rounded() / scale : (self / scale).rounded() * scale
  }
}
