import Glibc
import Nabla

/// The quantities that a table of the fit shows.
private let quantities: [(name: String, value: @Sendable (Chinchilla) -> Double)] = [
  ("E", { $0.E }), ("A", { $0.A }), ("B", { $0.B }), ("alpha", { $0.alpha }), ("beta", { $0.beta }),
  ("a", { $0.parameterExponent }), ("b", { $0.tokenExponent }),
]

extension ScalingFitResult {
  var text: String {
    let (sizes, computes) = (points.map(\.parameters), points.map(\.compute))
    var text = """
      \(points.count) runs: \(counted(sizes.min()!)) to \(counted(sizes.max()!)) parameters, \
      \(compact(computes.min()!)) to \(compact(computes.max()!)) FLOP

      Parametric law L(N, D) = E + A/N^alpha + B/D^beta; N grows as C^a, D as C^b
      \(grouped(fit.starts.count)) starts, \(grouped(fit.startsAtBest)) within 0.1 % of the best objective \(compact(fit.objective, digits: 5)); \
      \(bootstrap.laws.count) bootstrap refits

      """
    text += columns(
      [["", "fit", "95 % interval", "Hoffmann", "Besiroglu"]]
        + quantities.map { name, value in
          [
            name, significant(value(fit.law), digits: 5),
            ranged(bootstrap.interval(value)) { significant($0, digits: 4) },
          ]
            + [Chinchilla.hoffmann, .besiroglu].map { significant(value($0), digits: 4) }
        })
    text += "\nLocal minima found\n" + columns(ends)
    return text + splits + approaches + comparisons + heldOut
  }

  private var splits: String {
    if let error = PointError(noOptimumOf: fit.law) { return "\nNo optimal split of a budget: \(error)\n" }
    let largest = points.map(\.compute).max()!
    let table = columns(
      [["FLOPs", "parameters", "tokens", "tokens/parameter", "loss"]]
        + [1.0, 10, 100, 1_000].map { factor in
          let compute = largest * factor
          let best = fit.law.optimalAllocation(compute: compute)
          let interval = { (value: @escaping (Chinchilla) -> Double, text: (Double) -> String) in
            "\(text(value(fit.law))) (\(ranged(bootstrap.interval(value), text)))"
          }
          return [
            compact(compute), interval({ $0.optimalAllocation(compute: compute).parameters }, counted),
            interval({ $0.optimalAllocation(compute: compute).tokens }, counted),
            significant(best.tokensPerParameter, digits: 3),
            interval({ $0.optimalLoss(compute: compute) }) { significant($0, digits: 4) },
          ]
        })
    return "\nOptimal split of a budget\n" + table
      + "  The last row is 1,000 times the largest run: an unverified extrapolation.\n"
  }

  /// The lowest objectives among the starts, with their counts.
  private var ends: [[String]] {
    var groups: [(objective: Double, law: Chinchilla, count: Int)] = []
    for start in fit.starts.sorted(by: { $0.objective < $1.objective }) {
      if let last = groups.last, start.objective <= last.objective * 1.02 + 1e-12 {
        groups[groups.count - 1].count += 1
      } else {
        groups.append((start.objective, start.law, 1))
      }
    }
    let rest = groups.dropFirst(5).reduce(0) { $0 + $1.count }
    return [["objective", "starts", "E", "alpha", "beta"]]
      + groups.prefix(5).map { group in
        [
          compact(group.objective, digits: 4), "\(group.count)", compact(group.law.E), compact(group.law.alpha),
          compact(group.law.beta),
        ]
      } + (rest > 0 ? [["higher", "\(rest)"]] : [])
  }

  private var approaches: String {
    var text = "\nOther approaches\n"
    let line = { (fit: PowerLawFit) in
      "\(significant(fit.exponent, digits: 4)) (robust \(significant(fit.robustLine.slope, digits: 4)))"
    }
    switch envelope {
    case .success(let fit):
      text +=
        "  envelope of \(fit.curves.count) sizes: N grows as C^\(line(fit.parameters)), D as C^\(line(fit.tokens))\n"
    case .failure(let error): text += "  envelope: \(error)\n"
    }
    switch isoFLOP {
    case .success(let fit):
      let used = fit.curves.filter(\.isBracketed).count
      text += "  IsoFLOP parabolas, \(used) budgets: N grows as C^\(line(fit.parameters)), D as C^\(line(fit.tokens))\n"
    case .failure(let error): text += "  IsoFLOP parabolas: \(error)\n"
    }
    switch kaplan {
    case .success(let fit):
      text += """
          Kaplan's power laws on the frontier of runs (no irreducible loss): L(N) as N^\(line(fit.parameters)), L(D) \
        as D^\(line(fit.tokens)), L(C) as C^\(line(fit.compute))

        """
    case .failure(let error): text += "  Kaplan's power laws: \(error)\n"
    }
    switch repeated {
    case .success(let fit):
      let decays = [
        ("R_D*", fit.law.tokenDecay, fit.interval(\.tokenDecay)),
        ("R_N*", fit.law.parameterDecay, fit.interval(\.parameterDecay)),
      ]
      text +=
        "  repeated data: "
        + decays.map { "\($0.0) \(compact($0.1)) (\(ranged($0.2) { compact($0) }))" }.joined(separator: ", ")
        + "; Muennighoff et al. 15.4 and 5.31\n"
    case .failure(let error): text += "  repeated data: \(error)\n"
    case nil: break
    }
    return text
  }

  private var comparisons: String {
    var text = "\nAre the runs consistent with published constants? (likelihood-ratio test, 5 degrees of freedom)\n"
    text += columns(
      NamedLaw.published.compactMap { law in
        law.chinchilla.map { constants in
          let result = fit.compared(with: constants)
          let below = points.count { $0.loss <= constants.E }
          return [
            law.title, "chi² \(significant(result.statistic, digits: 4))",
            "p = \(probability(log10: result.log10PValue))",
            "mean deviation \(significant(100 * result.meanDeviation, digits: 3)) %",
            below > 0 ? "\(below) runs below its E: different data or tokenizer" : "",
          ]
        }
      })
    return text
  }

  private var heldOut: String {
    switch holdOut {
    case .success(let result):
      let inside = result.predictions.count(where: \.isInside)
      let last = result.predictions.last!
      return """

        The \(result.predictions.count) largest runs, predicted from the others (up to \(compact(result.largestCompute)) FLOP)
          mean error \(significant(100 * result.meanAbsoluteError, digits: 3)) %; \(inside) of \
        \(result.predictions.count) within their 95 % intervals
          the largest: predicted \(significant(last.predicted, digits: 4)) (\(ranged(last.interval) { significant($0, digits: 4) })), \
        measured \(significant(last.point.loss, digits: 4))

        """
    case .failure(let error): return "\nThe largest runs cannot be predicted from the others: \(error)\n"
    case nil: return ""
    }
  }

  var json: JSONValue {
    var object = JSONObject([
      ("points", .integer(points.count)), ("objective", .number(fit.objective)),
      ("starts_at_best", .integer(fit.startsAtBest)),
    ])
    for (name, value) in quantities {
      object[name] = ["value": .number(value(fit.law)), "interval": bootstrap.interval(value).json]
    }
    func exponents(_ parameters: PowerLawFit, _ tokens: PowerLawFit) -> JSONValue {
      ["a": .number(parameters.exponent), "b": .number(tokens.exponent)]
    }
    if case .success(let fit) = envelope { object["envelope"] = exponents(fit.parameters, fit.tokens) }
    if case .success(let fit) = isoFLOP { object["isoflop"] = exponents(fit.parameters, fit.tokens) }
    if case .success(let fit) = kaplan {
      object["kaplan"] = [
        "N": .number(-fit.parameters.exponent), "D": .number(-fit.tokens.exponent), "C": .number(-fit.compute.exponent),
      ]
    }
    if case .success(let fit) = repeated {
      object["repeated"] = ["R_D": .number(fit.law.tokenDecay), "R_N": .number(fit.law.parameterDecay)]
    }
    object["published"] = .object(
      JSONObject(
        NamedLaw.published.compactMap { law in
          law.chinchilla.map { constants in
            let result = fit.compared(with: constants)
            return (law.name, ["chi2": .number(result.statistic), "log10_p": .number(result.log10PValue)])
          }
        }))
    if case .success(let result) = holdOut {
      object["hold_out"] = .array(
        result.predictions.map {
          [
            "N": .number($0.point.parameters), "D": .number($0.point.tokens), "loss": .number($0.point.loss),
            "predicted": .number($0.predicted), "interval": $0.interval.json,
          ]
        })
    }
    object["residuals"] = .array(fit.residuals.map { .number($0) })
    let finite = { (value: Double) in value.isFinite ? JSONValue.number(value) : .null }
    object["starts"] = .array(
      fit.starts.map { start in
        [
          "objective": finite(start.objective), "E": finite(start.law.E), "A": finite(start.law.A),
          "B": finite(start.law.B), "alpha": finite(start.law.alpha), "beta": finite(start.law.beta),
        ]
      })
    return .object(object)
  }
}

/// 0.912, or where that would be mostly zeros, 10^-15.8.
private func probability(log10 exponent: Double) -> String {
  exponent > -3 ? significant(pow(10, exponent), digits: 3) : "10^\(significant(exponent, digits: 3))"
}
