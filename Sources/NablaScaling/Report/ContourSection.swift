import Glibc
import NablaTraining

extension ScalingReport {
  /// The loss over compute and size as contours, with the path of the best sizes.
  func contourSection(_ law: Chinchilla) -> ReportSection {
    let models = PublishedModel.all
    let high = max(computeRange.upperBound, 1e26)
    let budgets = computeRange.lowerBound...high
    let sizes = min(
      law.optimalAllocation(compute: budgets.lowerBound).parameters / 10, points.map(\.parameters).min() ?? .infinity)...max(
        law.optimalAllocation(compute: high).parameters * 3, 1e12)
    let plot = LogPlot(
      x: computeAxis(budgets), y: .powers("parameters N", sizes, label: countLabel))
    let (lowest, highest) = (law.optimalLoss(compute: high), law.optimalLoss(compute: budgets.lowerBound))
    // Steps even in the logarithm of the excess loss.
    let levels = (1...10).map { step in
      law.E + (lowest - law.E) * pow((highest * 1.15 - law.E) / (lowest - law.E), Double(step) / 10)
    }
    var inside = levels.map { level in
      plot.line(
        spaced(sizes, count: 120).compactMap { size in
          law.tokens(parameters: size, loss: level).map { (6 * size * $0, size) }
        }, color: "muted", width: 0.75, title: "loss \(significant(level, digits: 3))")
    }
    inside.append(
      plot.line(
        spaced(budgets).map { ($0, law.optimalAllocation(compute: $0).parameters) }, color: "accent", width: 2.25,
        title: "the best size for each budget"))
    inside += points.map {
      plot.dot($0.compute, $0.parameters, color: "second", radius: 1.75, title: describe($0))
    }
    inside += models.map { model in
      plot.dot(
        model.allocation.compute, model.allocation.parameters, color: "third", radius: 3,
        title: "\(model.name): \(countLabel(model.allocation.parameters)) parameters, "
          + "\(countLabel(model.allocation.tokens)) tokens; \(model.source)", isHollow: true)
    }
    // Level names at the right places: where the contour crosses the optimal path.
    let labels = levels.compactMap { level -> String? in
      guard let compute = law.compute(optimalLoss: level), budgets.contains(compute) else { return nil }
      return plot.text(
        compute, law.optimalAllocation(compute: compute).parameters, significant(level, digits: 3), dx: 3, dy: 11)
    }
    let named = ["GPT-3", "Chinchilla", "PaLM", "LLaMA 7B", "Llama 3.1 8B", "Llama 3.1 405B"]
    let names = models.filter { named.contains($0.name) }.map { model in
      let isLeft = model.allocation.compute > high / 100
      return plot.text(
        model.allocation.compute, model.allocation.parameters, model.name, dx: isLeft ? -5 : 5,
        dy: -4, anchor: isLeft ? "end" : "start")
    }
    return ReportSection(
      id: "contours", title: "Size, compute and loss",
      html: """
        <div class="charts">\(figure(
          "Contours of the loss", plot.svg(id: "contours", label: "Contours of the loss", inside, above: labels + names),
          caption: """
            Grey: sizes and budgets of equal loss. Blue: the best size for each budget, where a contour reaches \
            furthest left. Rings: published models; those below the line are smaller and trained for longer than the \
            law says, which is cheaper to serve.
            """,
          key: [("accent", "best size"), ("third", "published models")] + (points.isEmpty ? [] : [("second", "runs")])))</div>
        """)
  }

  /// Loss over size at each budget of the runs.
  func isoFLOPSection(_ law: Chinchilla, _ fit: ChinchillaFit) -> ReportSection {
    let isoFLOP = try? IsoFLOPFit(fit.points)
    // A page can show some; those with most runs tell most.
    let curves = (isoFLOP?.curves ?? []).sorted { $0.points.count > $1.points.count }.prefix(8)
      .sorted { $0.compute < $1.compute }
    guard let isoFLOP, !curves.isEmpty else {
      return ReportSection(
        id: "isoflop", title: "IsoFLOP curves",
        html: "<p>These runs hold no budget that four sizes were trained with, so there are no IsoFLOP curves.</p>")
    }
    let runs = curves.flatMap(\.points)
    let (low, high) = (runs.map(\.parameters).min()! / 1.3, runs.map(\.parameters).max()! * 1.3)
    let losses = runs.map(\.loss)
    let plot = LogPlot(
      x: .powers("parameters N", low...high, label: countLabel),
      y: .loss(losses.min()! * 0.97...min(losses.max()! * 1.03, losses.min()! * 2)))
    let colors = ["accent", "second", "third", "alert"]
    var inside: [String] = []
    var labels: [String] = []
    for (index, curve) in curves.enumerated() {
      let color = colors[index % colors.count]
      let sizes = curve.points.map(\.parameters)
      let range = spaced(sizes.min()!...sizes.max()!, count: 40)
      inside.append(plot.line(range.map { ($0, curve.loss(parameters: $0)) }, color: color, width: 1.5))
      inside.append(
        plot.line(
          range.map { ($0, law.loss(parameters: $0, tokens: curve.compute / (6 * $0))) }, color: color, width: 1,
          dash: "3 3"))
      inside += curve.points.map { plot.dot($0.parameters, $0.loss, color: color, radius: 2, title: describe($0)) }
      if curve.isBracketed, let best = curve.optimalParameters {
        inside.append(
          plot.dot(
            best, curve.loss(parameters: best), color: color, radius: 4,
            title: "\(powerOfTen(curve.compute)) FLOP: lowest at \(countLabel(best)) parameters", isHollow: true))
      }
      labels.append(
        plot.text(sizes.max()!, curve.loss(parameters: sizes.max()!), powerOfTen(curve.compute), dx: -2, dy: -5, anchor: "end"))
    }
    let exponent = significant(isoFLOP.parameters.exponent, digits: 3)
    return ReportSection(
      id: "isoflop", title: "IsoFLOP curves",
      html: """
        <p>Over \(isoFLOP.curves.filter(\.isBracketed).count) budgets the lowest points of the parabolas grow as
        C<sup>\(exponent)</sup>; the parametric law says C<sup>\(significant(law.parameterExponent, digits: 3))</sup>.</p>
        <div class="charts">\(figure(
          "Loss over size at fixed compute", plot.svg(id: "isoflop", label: "IsoFLOP curves", inside, above: labels),
          caption: "Lines: a parabola through the runs of one budget, its lowest point as a ring. Dashed: the law."))</div>
        """)
  }
}
