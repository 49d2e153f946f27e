import Foundation
import Nabla

/// The parametric scaling law fitted to 240 published runs from 4,500 starts, and 4,000 refits of resampled runs.
enum FitScalingLaw {
  private static let table = URL(filePath: #filePath)
    .appending(path: "../../../../../Examples/ScalingLaws/chinchilla-figure-4.csv").standardized.path

  static let row = Row(
    name: "scaling-fit", work: "Chinchilla's law, 240 runs: 4,500 starts, 4,000 bootstrap refits; SciPy L-BFGS-B",
    peer: .init(script: "scaling_fit.py", arguments: ["--table", table]),
    nabla: {
      let runs = try PointTable(contentsOfFile: table).points.sorted { $0.loss < $1.loss }.dropLast(5)
      return {
        let start = monotonicSeconds()
        let fit = try ChinchillaFit(Array(runs))
        let fitted = monotonicSeconds()
        let bootstrap = fit.bootstrap(samples: 4_000)
        let done = monotonicSeconds()
        guard bootstrap.laws.count == 4_000 else { throw PeerError(description: "refits are missing") }
        return ["fit_seconds": fitted - start, "bootstrap_seconds": done - fitted, "objective": fit.objective]
      }
    },
    metrics: [
      Metric(key: "fit_seconds", label: "fit, s", higherIsBetter: false),
      Metric(key: "bootstrap_seconds", label: "bootstrap, s", higherIsBetter: false),
      Metric(key: "objective", label: "lowest objective", higherIsBetter: false),
    ])
}
