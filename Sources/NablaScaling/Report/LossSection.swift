import NablaFormats
import Glibc
import NablaReport

extension ScalingReport {
  /// Loss over compute: one curve per size, their envelope, the runs.
  func lossSection(_ law: Chinchilla) throws -> ReportSection {
    let range = computeRange
    let highest = max(points.map(\.loss).max() ?? 0, law.optimalLoss(compute: range.lowerBound)) * 1.02
    let tested = sweep.map { min($0.prediction.lowerBound, $0.test?.point.loss ?? .infinity) } ?? .infinity
    let lowest = min(points.map(\.loss).min() ?? .infinity, law.optimalLoss(compute: range.upperBound), tested) * 0.98
    let plot = LogPlot(x: computeAxis(range), y: .loss(lowest...min(highest, 3 * lowest)))
    let budgets = spaced(range)
    let sizes = spaced(
      law.optimalAllocation(compute: range.lowerBound)
        .parameters...law.optimalAllocation(compute: range.upperBound)
        .parameters, count: 9)
    var inside = sizes.map { size in
      plot.line(
        budgets.map { ($0, law.loss(parameters: size, tokens: $0 / (6 * size))) }, color: "muted", width: 0.75,
        opacity: 0.6, title: "\(countLabel(size)) parameters")
    }
    inside.append(
      plot.line(
        budgets.map { ($0, law.optimalLoss(compute: $0)) }, color: "accent", width: 2.25, id: "envelope",
        title: "the optimal split of each budget"))
    if let bootstrap {
      let band = budgets.map { budget in
        bootstrap.interval { $0.optimalLoss(compute: budget) }
      }
      inside.append(
        plot.line(zip(budgets, band).map { ($0, $1.lowerBound) }, color: "accent", width: 0.75, dash: "3 3"))
      inside.append(
        plot.line(zip(budgets, band).map { ($0, $1.upperBound) }, color: "accent", width: 0.75, dash: "3 3"))
    }
    inside += points.enumerated().map { index, point in
      plot.dot(
        point.compute, point.loss, color: "second", radius: 2.25, title: describe(point),
        attributes: "data-run=\"\(index)\" style=\"cursor: pointer\"")
    }
    if let sweep { inside += predictionMarks(sweep, plot) }
    let drawing = plot.svg(id: "loss", label: "Loss over training compute", inside)
    let caption =
      points.isEmpty
      ? "Gray: models of one size trained longer and longer. Blue: the optimal size for each budget."
      : """
      Gray: models of one size trained longer and longer. Blue: the optimal size for each budget, dashed its 95 % \
      interval. Dots: the runs; the line beyond them is an extrapolation.\(sweep == nil ? "" : """
       Vertical line: the interval predicted for the larger model before it was trained; ring: the measured loss.
      """)
      """
    guard let fit else {
      return ReportSection(
        id: "loss", title: "Loss versus compute",
        html: figure("Loss and its envelope", drawing, caption: caption))
    }
    let without = fit.leavingOneOut()
    let data = LeaveOneOut(
      law: constants(law), without: without.map { $0.hasOptimum ? constants($0) : nil },
      x: [plot.x.low, plot.x.high, LogPlot.left, LogPlot.right],
      y: [plot.y.low, plot.y.high, LogPlot.bottom, LogPlot.top], runs: points.map(describe))
    return ReportSection(
      id: "loss", title: "Loss versus compute",
      html: """
        <p class="scripted">Click on a run to exclude it: the blue line is then the fit without it.</p>
        <div class="charts">
        \(figure("Loss and its envelope", drawing, caption: caption))
        \(isoFLOPFigure(law, fit))
        </div>
        <p class="readout" id="without" aria-live="polite"></p>
        \(try jsonIsland(id: "loss-data", data))
        """,
      script: String(decoding: PackageResources.without_js, as: UTF8.self))
  }

  func describe(_ point: ScalingPoint) -> String {
    "\(countLabel(point.parameters)) parameters, \(countLabel(point.tokens)) tokens: loss \(significant(point.loss, digits: 4))"
  }

  private func constants(_ law: Chinchilla) -> [Double] { [law.E, law.A, law.B, law.alpha, law.beta] }
}

/// The data of the script: the constants E, A, B, α, β of the law and of the fit without each run (nil where that has
/// no optimum), and how the axes map.
private struct LeaveOneOut: Encodable {
  var law: [Double]
  var without: [[Double]?]
  var x: [Double]
  var y: [Double]
  var runs: [String]
}
