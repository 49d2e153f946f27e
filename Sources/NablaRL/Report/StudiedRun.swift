import NablaReport

/// A member of a study that has started.
struct StudiedRun {
  var folder: String
  var algorithm: String
  var seed: UInt64
  var metrics: RunMetrics
  var analysisPath: String
  var hasReport: Bool

  var finalReturn: Double? { metrics[returnMetric].last?.value }
}
