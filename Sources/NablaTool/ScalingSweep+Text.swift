import Nabla

/// Shows a sweep on standard error: a line for each run, with a bar while it trains.
final class SweepDisplay {
  private var progress = ProgressDisplay(title: "sweep")

  func describe(_ sweep: Sweep) {
    let (setup, plan) = (sweep.setup, sweep.setup.plan)
    let sizes = plan.runs.map { Double($0.shape.parameterCount) }
    let test = plan.test
    note(
      """
      sweep: \(sweep.folder.path)
      plan: \(plan.runs.count) runs of \(counted(sizes.min()!)) to \(counted(sizes.max()!)) parameters, then a test of \
      \(counted(Double(test.shape.parameterCount))) on \(counted(test.tokens)) tokens; \(compact(plan.compute)) FLOP in \
      about \(duration(setup.speed.seconds(plan, validationTokens: setup.validationTokens)))
      """)
    let epochs = test.tokens / Double(setup.uniqueTokens)
    if epochs > 4 { note("warning: " + Sweep.repetitionWarning(epochs: epochs)) }
  }

  func show(_ event: SweepEvent) {
    switch event {
    case .message(let text): progress.message(text)
    case .begins(let name, let number, let total, _):
      progress = ProgressDisplay(title: number == total ? name : "run \(number)/\(total)")
    case .run(.step(let step)): progress.show(.step(step))
    case .run(.warning(let text)): progress.show(.warning(text))
    case .run(.message(let text)): progress.message(text)
    case .run: break
    case .trained(let run):
      progress.finish()
      let point = run.point
      progress.message(
        "\(run.name): \(plural(run.planned.shape.layerCount, "layer")) of \(run.planned.shape.width), "
          + "\(counted(point.parameters)) parameters, \(counted(point.tokens)) tokens, loss \(rounded(point.loss)), "
          + duration(run.seconds))
    case .predicted(let prediction):
      progress.message(
        "predicted for \(counted(prediction.parameters)) parameters on \(counted(prediction.tokens)) tokens, "
          + "\(significant(prediction.leap, digits: 2)) times the compute: loss \(rounded(prediction.loss)) "
          + "(95 %: \(ranged(prediction.interval, rounded)))")
    }
  }
}

extension SweepResult {
  var text: String {
    let law = fit.law
    let exponent = bootstrap.interval(\.parameterExponent)
    return """
      L(N, D) = \(significant(law.E, digits: 4)) + \(significant(law.A, digits: 4)) / N^\(significant(law.alpha, digits: 3)) \
      + \(significant(law.B, digits: 4)) / D^\(significant(law.beta, digits: 3))
      N grows as C^\(significant(law.parameterExponent, digits: 3)) \
      (95 %: \(ranged(exponent) { significant($0, digits: 3) }))
      \(verdict ?? "")
      trained in \(duration(seconds)) of a budget of \(duration(setup.budget))
      law:    \(folder)/law.json
      runs:   \(folder)/points.csv
      report: \(folder)/report.html (open it in a browser)

      """
  }

  var json: JSONValue {
    let law = fit.law
    var object = JSONObject([
      ("folder", .string(folder)), ("runs", .integer(runs.count)), ("E", .number(law.E)), ("A", .number(law.A)),
      ("B", .number(law.B)), ("alpha", .number(law.alpha)), ("beta", .number(law.beta)),
      ("parameter_exponent", .number(law.parameterExponent)), ("predicted_loss", .number(prediction.loss)),
      ("predicted_interval", prediction.interval.json), ("leap", .number(prediction.leap)),
      ("seconds", .number(seconds)), ("budget", .number(setup.budget)),
    ])
    if let outcome {
      object["loss"] = .number(outcome.loss)
      object["error"] = .number(outcome.error)
      object["inside"] = .bool(outcome.isInside)
      object["miss"] = .number(outcome.miss)
    }
    return .object(object)
  }
}
