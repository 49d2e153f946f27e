import NablaFormats
import Glibc
import NablaReport

extension ScalingReport {
  /// The constants with their intervals, published constants next to them, and the residuals.
  func fitSection(_ fit: ChinchillaFit) -> ReportSection {
    let names: [(String, (Chinchilla) -> Double)] = [
      ("E", { $0.E }), ("A", { $0.A }), ("B", { $0.B }), ("α", { $0.alpha }), ("β", { $0.beta }),
      ("N ∝ C^a: a", { $0.parameterExponent }),
    ]
    let number = { (value: Double) in significant(value, digits: 4) }
    let constants = names.map { name, quantity in
      let interval = bootstrap.map { bootstrap in
        let range = bootstrap.interval(quantity)
        return "\(number(range.lowerBound)) to \(number(range.upperBound))"
      }
      return [name, number(quantity(fit.law)), interval ?? "–"]
        + [Chinchilla.hoffmann, .besiroglu].map { number(quantity($0)) }
    }
    let comparisons = NamedLaw.published.compactMap { law in
      law.chinchilla.map { constants -> [String] in
        let comparison = fit.compared(with: constants)
        return [
          law.title, significant(comparison.statistic, digits: 4),
          comparison.log10PValue > -4
            ? significant(pow(10, comparison.log10PValue), digits: 2)
            : "10^\(Int(comparison.log10PValue.rounded()))",
          significant(100 * comparison.meanDeviation, digits: 3) + " %",
        ]
      }
    }
    return ReportSection(
      id: "fit", title: "The fit",
      html: """
        <p>\(fit.starts.count) starts, of which \(fit.startsAtBest) ended at the best objective,
        \(significant(fit.objective, digits: 5)). Intervals hold the middle 95 % of
        \(bootstrap?.laws.count ?? 0) refits to runs drawn with replacement.</p>
        \(table(["", "fit", "95 % interval", "Hoffmann et al. 2022", "Besiroglu et al. 2024"], constants))
        <p>Are these runs consistent with published constants? The likelihood-ratio statistic is about χ² with five
        degrees of freedom. Constants for different data or another tokenizer are of course rejected.</p>
        \(table(["law", "χ²", "p-value", "mean deviation of the loss"], comparisons))
        <div style="margin-top: 1rem">\(residualFigure(fit))</div>
        """)
  }

  private func residualFigure(_ fit: ChinchillaFit) -> String {
    let residuals = fit.residuals
    let reach = max(residuals.map { abs($0) }.max()! * 1.1, 1e-6)
    let computes = fit.points.map(\.compute)
    // The vertical axis is that of factors around 1, which is linear in the residual.
    let plot = LogPlot(
      x: computeAxis(computes.min()! / 1.5...computes.max()! * 1.5),
      y: LogPlot.Axis(
        title: "loss relative to the law", low: exp(-reach), high: exp(reach),
        ticks: [-1, -0.5, 0, 0.5, 1].map { exp($0 * reach * 0.9) },
        label: { (log($0) >= 0 ? "+" : "−") + significant(abs(100 * log($0)), digits: 2) + "%" }))
    let dots = zip(fit.points, residuals).map { point, residual in
      plot.dot(
        point.compute, exp(residual), color: "second", radius: 2,
        title: "\(describe(point)), \(significant(100 * residual, digits: 3)) % from the law")
    }
    let zero = plot.line([(plot.x.low, 1), (plot.x.high, 1)], color: "accent")
    return figure(
      "Residuals", plot.svg(id: "residuals", label: "Residuals over compute", [zero] + dots),
      caption:
        "Runs above the line were worse than the law predicts. A curve means that its functional form does not hold.")
  }

  /// The cost of sizes other than the optimal one.
  func overTrainingSection(_ law: Chinchilla) -> ReportSection {
    let compute = 1e21
    let rows = OverTraining.table(law, compute: compute).map { row in
      [
        significant(row.share, digits: 2) + " of the optimal size", countLabel(row.allocation.parameters),
        countLabel(row.allocation.tokens), significant(row.allocation.tokensPerParameter, digits: 3),
        significant(row.loss, digits: 4),
        row.computeForSameLoss.map { significant($0, digits: 3) + "×" } ?? "unreachable",
      ]
    }
    return ReportSection(
      id: "overtraining", title: "The cost of overtraining",
      html: """
        <p>Models for \(powerOfTen(compute)) FLOP. A smaller model is cheaper to serve and pays in loss, or in compute
        for the same loss.</p>
        \(table(["size", "parameters", "tokens", "tokens/parameter", "loss", "compute for the optimal loss"], rows))
        """)
  }
}
