/// What a run is at, for whoever waits.
public enum RunActivity: Sendable, Equatable {
  case evaluating
  case sampling
  /// The step after so much progress.
  case step(RunProgress)
  case saving
}
