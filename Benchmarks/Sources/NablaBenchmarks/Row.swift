/// A workload that Nabla and a peer both run, and how it is measured.
///
/// Each row has its own file in `Rows/`: the peer's script and arguments, and the same workload in Nabla.
struct Row: Sendable {
  /// The name that `--only` selects by, unique among the rows.
  let name: String
  /// The description of the workload in the table.
  let work: String
  /// The script in `Benchmarks/peers` that runs the workload, and its arguments.
  let peer: Peer
  /// Sets up the workload in Nabla and returns a closure that runs one round of it. Runs in its own process, so
  /// that the peak memory it reports is its own. A row without it prints only the peer's figures.
  let nabla: (@Sendable () throws -> Round)?
  /// The figures compared, one table line each.
  let metrics: [Metric]

  struct Peer: Sendable {
    let script: String
    let arguments: [String]
  }
}

/// Runs the workload once (long enough to measure, after its own warmup) and returns its figures by metric key.
typealias Round = () throws -> [String: Double]

/// A figure that both sides report under the same key.
struct Metric: Sendable {
  let key: String
  /// The table's heading for the figure, with its unit.
  let label: String
  /// Whether more is better (a rate) or less (a time, memory, loss). The ratio says how many times better Nabla is.
  let higherIsBetter: Bool
}

extension Metric {
  static let tokensPerSecond = Metric(key: "tokens_per_second", label: "tokens/s", higherIsBetter: true)
  static let milliseconds = Metric(key: "milliseconds", label: "ms", higherIsBetter: false)
  static let peakMemory = Metric(key: "peak_rss_mib", label: "peak memory, MiB", higherIsBetter: false)
  static let validationLoss = Metric(key: "validation_loss", label: "validation loss, nats", higherIsBetter: false)
}

extension Row {
  /// Every row, in the order of the table.
  static let all: [Row] =
    TrainGPT.rows + [TrainNanoGPT.row] + TimeAttention.rows + [TimeMLP.row, TrainPPO.row] + StepCartPole.rows
    + RunModels.rows + TuneModels.rows + LoadTokenizers.rows + TrainDiffusion.rows + [FitScalingLaw.row]
}
