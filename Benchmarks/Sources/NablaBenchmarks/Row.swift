/// One piece of work that Nabla and a peer both do, and how it is measured.
///
/// A row lives in its own file in `Rows/`: the peer's script and arguments, and the same work in Nabla.
struct Row: Sendable {
  /// What `--only` selects by, unique among the rows.
  let name: String
  /// What the table says the work is.
  let work: String
  /// The script in `Benchmarks/peers` that does the work, and its arguments.
  let peer: Peer
  /// Sets the work up in Nabla and returns a closure that runs one round of it. Runs in a process of its own, so that
  /// the peak memory it reports is its own. A row without it prints the peer's figures only.
  let nabla: (@Sendable () throws -> Round)?
  /// The figures compared, one table line each.
  let metrics: [Metric]

  struct Peer: Sendable {
    let script: String
    let arguments: [String]
  }
}

/// Runs the work once (long enough to measure, after its own warm-up) and returns its figures by metric key.
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
    + RunModels.rows + LoadTokenizers.rows + TrainDiffusion.rows + [FitScalingLaw.row]
}
