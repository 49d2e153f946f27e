/// The configuration of Chart.js (<https://www.chartjs.org/docs/3.9.1/>). The names are those of Chart.js, except
/// `color` and `format`, which the page's script replaces to fit the theme.
public struct ChartConfiguration: Encodable, Sendable {
  public struct Point: Encodable, Equatable, Sendable {
    public var x: Double
    public var y: Double
    /// Shown when the pointer is near.
    public var note: String?

    public init(x: Double, y: Double, note: String? = nil) { (self.x, self.y, self.note) = (x, y, note) }
  }

  public struct Series: Encodable, Sendable {
    public var label: String
    public var data: [Point]
    /// A custom property of the style sheet: "accent", "second", "third", "alert".
    public var color: String
    /// Of the line, between 0 and 1.
    public var opacity = 1.0
    public var borderWidth = 1.75
    public var pointRadius = 0.0
    public var pointHitRadius = 4.0
    public var pointStyle = "circle"
    public var showLine = true
    /// The lowest is drawn on top.
    public var order = 0
    /// "-1" fills the space to the line before; a line without a label is not in the legend.
    public var fill: String?

    public init(
      label: String, data: [Point], color: String, opacity: Double = 1, borderWidth: Double = 1.75,
      pointRadius: Double = 0, pointHitRadius: Double = 4, pointStyle: String = "circle", showLine: Bool = true,
      order: Int = 0, fill: String? = nil
    ) {
      (self.label, self.data, self.color, self.opacity, self.borderWidth) = (label, data, color, opacity, borderWidth)
      (self.pointRadius, self.pointHitRadius, self.pointStyle) = (pointRadius, pointHitRadius, pointStyle)
      (self.showLine, self.order, self.fill) = (showLine, order, fill)
    }
  }

  public struct Axis: Encodable, Sendable {
    public struct Title: Encodable, Sendable {
      public var display = true
      public var text: String
    }
    public struct Ticks: Encodable, Sendable {
      public var maxTicksLimit: Int
      public var maxRotation = 0
    }

    public var type = "linear"
    public var position: String
    public var title: Title
    public var format: NumberFormat
    public var ticks: Ticks
    /// "ticks" ends the axis at round numbers, "data" where the points end.
    public var bounds: String
    public var min: Double?
    public var max: Double?
    /// Where numbers stand; nil for where Chart.js puts them.
    public var values: [Double]?
    public var beginAtZero = false
    public var suggestedMin: Double?
    public var suggestedMax: Double?
  }

  /// How the script writes the numbers of an axis.
  public enum NumberFormat: String, Encodable, Sendable {
    /// 1,234 or 0.00123
    case plain
    /// 1.2 k, 3.4 M
    case scaled
    /// 1.2 GB
    case bytes
    /// 3.0e-4
    case exponential
  }

  public struct Data: Encodable, Sendable {
    public var datasets: [Series]
  }

  public struct Options: Encodable, Sendable {
    public struct Interaction: Encodable, Sendable {
      public var mode = "nearest"
      public var axis = "x"
      public var intersect = false
    }
    public struct Plugins: Encodable, Sendable {
      public struct Legend: Encodable, Sendable {
        public var display: Bool
        public var align = "end"
      }
      public var legend: Legend
    }

    public var animation = false
    public var responsive = true
    public var maintainAspectRatio = false
    // The points are in order and in Chart.js's own form: it need not look.
    public var parsing = false
    public var normalized = true
    public var interaction = Interaction()
    public var plugins: Plugins
    public var scales: [String: Axis]
  }

  public var type = "line"
  public var data: Data
  public var options: Options

  /// A chart over training steps.
  ///
  /// - Parameters:
  ///   - datasets: One line each.
  ///   - title: Of the y axis, with `format` for its numbers.
  ///   - format: Of the numbers on the y axis.
  ///   - startsAtZero: Whether the y axis begins at 0, so that noise does not look like change.
  public init(datasets: [Series], title: String, format: NumberFormat = .plain, startsAtZero: Bool = false) {
    data = Data(datasets: datasets)
    let steps = datasets.flatMap { $0.data.map(\.x) }
    // Steps count from 1; an axis that starts there has odd tick labels.
    let isFromStart = (steps.min() ?? 0) >= 0 && (steps.min() ?? 0) <= 0.05 * (steps.max() ?? 0)
    var values = Axis(
      position: "left", title: .init(text: title), format: format, ticks: .init(maxTicksLimit: 7), bounds: "ticks",
      beginAtZero: startsAtZero)
    let heights = datasets.flatMap { $0.data.map(\.y) }
    // Around a constant, Chart.js shows the range ±1, so that 0.0003 would appear at "0".
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

extension ChartConfiguration {
  /// The same over another quantity than steps.
  ///
  /// - Parameters:
  ///   - title: Of the x axis.
  ///   - values: Where numbers stand on it.
  ///   - range: Its ends.
  public func over(
    _ title: String, values: [Double], in range: ClosedRange<Double>, isLogarithmic: Bool = false
  ) -> ChartConfiguration {
    var copy = self
    copy.options.scales["x"] = Axis(
      type: isLogarithmic ? "logarithmic" : "linear", position: "bottom", title: .init(text: title), format: .plain,
      ticks: .init(maxTicksLimit: 12), bounds: "data", min: range.lowerBound, max: range.upperBound, values: values)
    return copy
  }

  /// The same with a logarithmic y axis.
  public var logarithmic: ChartConfiguration {
    var copy = self
    copy.options.scales["y"]?.type = "logarithmic"
    return copy
  }
}

extension [RunMetrics.Point] {
  /// The maximum number of points in a series.
  static let chartLimit = 2_000

  /// The points for a chart: not too many, with six digits, which is more than a screen can show.
  package var chartPoints: [ChartConfiguration.Point] {
    downsampled(to: Self.chartLimit).map { .init(x: $0.step, y: $0.value.rounded(digits: 6), note: nil) }
  }
}
