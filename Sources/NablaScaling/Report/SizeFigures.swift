import NablaFormats
import Glibc
import NablaReport

extension ScalingReport {
  /// The loss over compute and size as contours, with the path of the optimal sizes.
  func contourFigure(_ law: Chinchilla) -> String {
    let models = PublishedModel.all
    let high = max(computeRange.upperBound, 1e26)
    let budgets = computeRange.lowerBound...high
    let sizes =
      min(
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
        title: "the optimal size for each budget"))
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
    let labels = levels.enumerated().filter { $0.offset % 2 == 0 }.map(\.element).compactMap { level -> String? in
      guard let compute = law.compute(optimalLoss: level), (budgets.lowerBound...high / 30).contains(compute) else {
        return nil
      }
      return plot.text(
        compute, law.optimalAllocation(compute: compute).parameters, significant(level, digits: 3), dx: 3, dy: 11)
    }
    // Where a name has room beside its ring.
    let places: [String: (dx: Double, dy: Double, anchor: String)] = [
      "GPT-3": (-5, -3, "end"), "Chinchilla": (6, 10, "start"), "PaLM": (-5, -3, "end"), "LLaMA 7B": (-2, 13, "middle"),
      "Llama 3.1 8B": (2, 13, "middle"), "Llama 3.1 405B": (-6, 4, "end"),
    ]
    let names = models.compactMap { model in
      places[model.name].map { place in
        plot.text(
          model.allocation.compute, model.allocation.parameters, model.name, dx: place.dx, dy: place.dy,
          anchor: place.anchor)
      }
    }
    let caption = """
      Gray: sizes and budgets of equal loss. Blue: the optimal size for each budget, the leftmost point of each \
      contour. Rings: published models; those below the line are smaller and trained longer than the law suggests, \
      which is cheaper to serve.
      """
    return figure(
      "Contours of the loss", plot.svg(id: "contours", label: "Contours of the loss", inside, above: labels + names),
      caption: caption,
      key: [("accent", "optimal size"), ("third", "published models")] + (points.isEmpty ? [] : [("second", "runs")]))
  }

  /// Loss over size at each budget of the runs.
  func isoFLOPFigure(_ law: Chinchilla, _ fit: ChinchillaFit) -> String {
    let isoFLOP = try? IsoFLOPFit(fit.points)
    // A page can show some: those with most runs, apart from each other.
    var curves: [IsoFLOPFit.Curve] = []
    for curve in (isoFLOP?.curves ?? []).sorted(by: { $0.points.count > $1.points.count }) where curves.count < 6 {
      if curves.allSatisfy({ abs(log(curve.compute / $0.compute)) > log(1.8) }) { curves.append(curve) }
    }
    guard let isoFLOP, !curves.isEmpty else {
      return "<p>No budgets were trained with four sizes each, so there are no IsoFLOP curves.</p>"
    }
    curves.sort { $0.compute < $1.compute }
    let runs = curves.flatMap(\.points)
    let (low, high) = (runs.map(\.parameters).min()! / 1.3, runs.map(\.parameters).max()! * 2.5)
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
        plot.text(sizes.max()!, curve.loss(parameters: sizes.max()!), powerOfTen(curve.compute), dx: 5))
    }
    let exponent = significant(isoFLOP.parameters.exponent, digits: 3)
    let caption = """
      Lines: a parabola through the runs of one budget, in FLOPs; its minimum is a ring. Dashed: the law. Over \
      \(isoFLOP.curves.filter(\.isBracketed).count) budgets the lowest points grow as C^\(exponent); the law says \
      C^\(significant(law.parameterExponent, digits: 3)).
      """
    return figure(
      "Loss over size at fixed compute", plot.svg(id: "isoflop", label: "IsoFLOP curves", inside, above: labels),
      caption: caption)
  }
}
