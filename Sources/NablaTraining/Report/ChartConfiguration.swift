/// What Chart.js is given to draw (<https://www.chartjs.org/docs/3.9.1/>). The names are its own, but for `color` and
/// `format`, which the page's script replaces by what fits the theme.
struct ChartConfiguration: Encodable {
  struct Point: Encodable, Equatable {
    var x: Double
    var y: Double
    /// Shown when the pointer is near.
    var note: String?
  }

  struct Series: Encodable {
    var label: String
    var data: [Point]
    /// A custom property of the style sheet: "accent", "second", "third", "alert".
    var color: String
    /// Of the line, between 0 and 1.
    var opacity = 1.0
    var borderWidth = 1.75
    var pointRadius = 0.0
    var pointHitRadius = 4.0
    var pointStyle = "circle"
    var showLine = true
    /// The lowest is drawn on top.
    var order = 0
    /// "-1" fills the space to the line before; a line without a label is not in the legend.
    var fill: String?
  }

  struct Axis: Encodable {
    struct Title: Encodable {
      var display = true
      var text: String
    }
    struct Ticks: Encodable {
      var maxTicksLimit: Int
      var maxRotation = 0
    }

    var type = "linear"
    var position: String
    var title: Title
    var format: NumberFormat
    var ticks: Ticks
    /// "ticks" ends the axis at round numbers, "data" where the points end.
    var bounds: String
    var min: Double?
    var beginAtZero = false
    var suggestedMin: Double?
    var suggestedMax: Double?
  }

  /// How the script writes the numbers of an axis.
  enum NumberFormat: String, Encodable {
    /// 1,234 or 0.00123
    case plain
    /// 1.2 k, 3.4 M
    case scaled
    /// 1.2 GB
    case bytes
    /// 3.0e-4
    case exponential
  }

  struct Data: Encodable {
    var datasets: [Series]
  }

  struct Options: Encodable {
    struct Interaction: Encodable {
      var mode = "nearest"
      var axis = "x"
      var intersect = false
    }
    struct Plugins: Encodable {
      struct Legend: Encodable {
        var display: Bool
        var align = "end"
      }
      var legend: Legend
    }

    var animation = false
    var responsive = true
    var maintainAspectRatio = false
    // The points are in order and in Chart.js's own form: it need not look.
    var parsing = false
    var normalized = true
    var interaction = Interaction()
    var plugins: Plugins
    var scales: [String: Axis]
  }

  var type = "line"
  var data: Data
  var options: Options

  /// A chart over training steps.
  ///
  /// - Parameters:
  ///   - title: Of the y axis, with `format` for its numbers.
  ///   - startsAtZero: Whether the y axis begins at 0, so that noise does not look like change.
  init(datasets: [Series], title: String, format: NumberFormat = .plain, startsAtZero: Bool = false) {
    data = Data(datasets: datasets)
    let steps = datasets.flatMap { $0.data.map(\.x) }
    // Steps count from 1; an axis that starts there has odd numbers on it.
    let isFromStart = (steps.min() ?? 0) >= 0 && (steps.min() ?? 0) <= 0.05 * (steps.max() ?? 0)
    var values = Axis(
      position: "left", title: .init(text: title), format: format, ticks: .init(maxTicksLimit: 7), bounds: "ticks",
      beginAtZero: startsAtZero)
    let heights = datasets.flatMap { $0.data.map(\.y) }
    // Around a value that never changes Chart.js would show one more and one less, so that 0.0003 stood at "0".
    if let constant = heights.first, constant != 0, heights.allSatisfy({ $0 == constant }) {
      (values.suggestedMin, values.suggestedMax) = (Swift.min(0, 2 * constant), Swift.max(0, 2 * constant))
    }
    let scales = [
      "x": Axis(
        position: "bottom", title: .init(text: "step"), format: .scaled, ticks: .init(maxTicksLimit: 8), bounds: "data",
        min: isFromStart ? 0 : nil),
      "y": values,
    ]
    options = Options(plugins: .init(legend: .init(display: datasets.count > 1)), scales: scales)
  }
}

extension [RunMetrics.Point] {
  /// The most points a chart draws of one series.
  static let chartLimit = 2_000

  /// The points for a chart: not too many, and with six digits, which is more than a screen can show.
  var chartPoints: [ChartConfiguration.Point] {
    downsampled(to: Self.chartLimit).map { .init(x: $0.step, y: $0.value.rounded(digits: 6), note: nil) }
  }
}
