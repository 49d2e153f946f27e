import NablaTraining
import Testing

@Suite struct SeedStatisticsTests {
  @Test func quantilesAreNumPys() {
    // numpy.quantile([3, 1, 4, 1, 5], [0.25, 0.5, 0.75]) is [1, 3, 4]; of [1, 2, 3, 10] it is [1.75, 2.5, 4.75].
    let five = SeedStatistics([3, 1, 4, 1, 5])
    #expect(five.interquartileRange == 1...4 && five.median == 3 && five.mean == 2.8)
    let four = SeedStatistics([10, 1, 2, 3])
    #expect(four.interquartileRange == 1.75...4.75 && four.median == 2.5)
  }

  @Test func interquartileMeanIsSciPys() {
    // scipy.stats.trim_mean(values, 0.25).
    let ten = SeedStatistics([500, 500, 437.9, 500, 480.1, 500, 500, 499, 20, 500])
    #expect(abs(ten.interquartileMean - 496.5166666666667) < 1e-9)
    #expect(abs(SeedStatistics([3, 1, 4, 1, 5]).interquartileMean - 8.0 / 3) < 1e-12)
    #expect(SeedStatistics([1, 2, 3, 10]).interquartileMean == 2.5)
    #expect(SeedStatistics([7]).interquartileMean == 7)
  }

  /// Of many values the bootstrap interval is that of the normal approximation: mean ± 1.96 σ/√n.
  @Test func intervalIsAboutTwoStandardErrors() throws {
    let values = (0..<100).map { Double(($0 * 37) % 100) }
    let interval = try #require(SeedStatistics(values).meanInterval)
    let error = 28.866 / 10
    #expect(abs(interval.lowerBound - (49.5 - 1.96 * error)) < 0.3)
    #expect(abs(interval.upperBound - (49.5 + 1.96 * error)) < 0.3)
    #expect(SeedStatistics(values).meanInterval == interval)
    #expect(SeedStatistics([7]).meanInterval == nil)
    #expect(SeedStatistics([7, 7, 7]).meanInterval == 7...7)
  }
}
