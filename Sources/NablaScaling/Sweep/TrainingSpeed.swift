import Glibc
import NablaLanguage
import NablaTraining

/// Seconds per training token on this machine by model size: measured at a few sizes, with log-log linear
/// interpolation between them.
///
/// The training time of small models is not proportional to their parameters, since each operation has overhead.
/// That is why a budget in hours is planned with this, not with a rate in FLOP/s.
public struct TrainingSpeed: Sendable, Codable, Hashable {
  public struct Measurement: Sendable, Codable, Hashable {
    public var parameters: Double
    public var secondsPerToken: Double

    public init(parameters: Double, secondsPerToken: Double) {
      (self.parameters, self.secondsPerToken) = (parameters, secondsPerToken)
    }
  }

  /// By size, ascending.
  public private(set) var measurements: [Measurement]

  /// - Parameter measurements: One or more.
  public init(_ measurements: [Measurement]) {
    precondition(!measurements.isEmpty, "TrainingSpeed: no measurements")
    self.measurements = measurements.sorted { $0.parameters < $1.parameters }
  }

  /// Beyond the largest size measured, in proportion to the parameters; below the smallest, as there.
  public func secondsPerToken(parameters: Double) -> Double {
    let (first, last) = (measurements.first!, measurements.last!)
    if parameters <= first.parameters { return first.secondsPerToken }
    if parameters >= last.parameters { return last.secondsPerToken * parameters / last.parameters }
    let upper = measurements.firstIndex { $0.parameters > parameters }!
    let (a, b) = (measurements[upper - 1], measurements[upper])
    let share = log(parameters / a.parameters) / log(b.parameters / a.parameters)
    return a.secondsPerToken * pow(b.secondsPerToken / a.secondsPerToken, share)
  }

  /// Seconds of a run: its tokens, and those of the last validation, which only go forward: a third of the cost.
  public func seconds(_ run: SweepPlan.Run, validationTokens: Int) -> Double {
    secondsPerToken(parameters: Double(run.shape.parameterCount)) * (run.tokens + Double(validationTokens) / 3)
  }

  public func seconds(_ plan: SweepPlan, validationTokens: Int) -> Double {
    (plan.runs + [plan.test]).reduce(0) { $0 + seconds($1, validationTokens: validationTokens) }
  }
}

extension TrainingSpeed {
  /// Trains each model for about half a second. The median of the steps counts, without the first, which sets up.
  static func measured(_ trainers: [Pretraining]) throws -> TrainingSpeed {
    TrainingSpeed(
      try trainers.map { trainer in
        _ = try trainer.step()
        var times: [Double] = []
        let start = monotonicSeconds()
        while times.count < 3 || monotonicSeconds() - start < 0.5 {
          let begin = monotonicSeconds()
          _ = try trainer.step()
          times.append(monotonicSeconds() - begin)
        }
        let (training, context) = (trainer.setup.training, trainer.setup.model.context)
        return Measurement(
          parameters: Double(trainer.setup.parameterCount),
          secondsPerToken: times.sorted()[times.count / 2] / Double(training.batchSize * context))
      })
  }
}
