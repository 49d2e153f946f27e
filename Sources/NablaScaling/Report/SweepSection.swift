import NablaFormats
import NablaReport

extension ScalingReport {
  /// The prediction and its outcome, and how each run was trained.
  func sweepSection(_ sweep: SweepResult) -> ReportSection {
    let (setup, prediction) = (sweep.setup, sweep.prediction)
    let number = { (value: Double) in significant(value, digits: 4) }
    let promise = """
      Before the last run was trained, a law fitted to \(sweep.runs.count) runs predicted that a model of \
      \(countLabel(prediction.parameters)) parameters on \(countLabel(prediction.tokens)) tokens, \
      \(significant(prediction.leap, digits: 2)) times the largest compute of the fit, would reach a loss of \
      \(number(prediction.loss)) (95 %: \(number(prediction.lowerBound)) to \(number(prediction.upperBound))).
      """
    let rows = (sweep.runs + (sweep.test.map { [$0] } ?? [])).map { run in
      let (shape, point) = (run.planned.shape, run.point)
      let law = fit?.law.loss(parameters: point.parameters, tokens: point.tokens) ?? .nan
      return [
        run.name, "\(shape.layerCount) × \(shape.width)", countLabel(point.parameters),
        countLabel(Double(shape.nonEmbeddingCount)), countLabel(point.tokens), powerOfTen(point.compute),
        significant(run.planned.learningRate, digits: 2), number(point.loss), number(law), duration(run.seconds),
      ]
    }
    return ReportSection(
      id: "sweep", title: "The prediction and its outcome",
      html: """
        <p>\(escapedHTML(promise)) <strong>\(escapedHTML(sweep.verdict ?? "It has not been trained yet."))</strong></p>
        \(sweep.epochs > 4 ? "<p class=\"note\">\(escapedHTML(Sweep.repetitionWarning(epochs: sweep.epochs)))</p>" : "")
        \(table(
          ["run", "layers × width", "N", "N without embeddings", "D", "6ND, FLOP", "learning rate", "loss", "law",
            "time"], rows))
        <p class="note">Losses are on \(countLabel(Double(setup.validationTokens))) held-out tokens. The
        learning rate is \(significant(setup.settings.learningRate, digits: 2)) at width \(SweepSettings.ruleWidth) and
        inversely proportional to the width (Yang et al. 2022). Planned for \(duration(setup.budget)); training took
        \(duration(sweep.seconds)).</p>
        """)
  }

  /// The interval of the prediction and the measured loss.
  func predictionMarks(_ sweep: SweepResult, _ plot: LogPlot) -> [String] {
    let prediction = sweep.prediction
    let interval = plot.line(
      [(prediction.compute, prediction.lowerBound), (prediction.compute, prediction.upperBound)], color: "alert",
      width: 3, opacity: 0.6, title: "predicted: \(significant(prediction.loss, digits: 4))")
    guard let test = sweep.test else { return [interval] }
    return [
      interval,
      plot.dot(
        test.point.compute, test.point.loss, color: "alert", radius: 4, title: describe(test.point), isHollow: true),
    ]
  }
}
