import NablaReport
import Testing

@Suite struct SparklineTests {
  @Test(arguments: [
    ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
    ([7, 6, 5, 4, 3, 2, 1, 0], 4, "█▆▃▁"),
    ([1, 9], 10, "▁█"),
    ([3, 3, 3], 3, "▄▄▄"),
    ([1, .nan, 3], 3, "▁ █"),
    ([.nan, .infinity], 2, "  "),
    ([-1.7e308, 1.7e308], 2, "▁█"),
    ([], 5, ""), ([1, 2], 0, ""), ([1, 2], -1, ""),
  ])
  func draws(values: [Double], width: Int, expected: String) {
    #expect(sparkline(values, width: width) == expected)
  }

  @Test func hasTheWidthAskedFor() {
    for width in 1...50 {
      #expect(sparkline((0..<337).map { Double($0 * $0 % 97) }, width: width).count == width)
    }
  }
}
