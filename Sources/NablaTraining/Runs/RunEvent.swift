import Synchronization

/// What a run reports while it proceeds: to a terminal, as JSON lines, to a page.
public enum RunEvent: Sendable, Equatable {
  /// A message for people.
  case message(String)
  /// Something is wrong, but training continues.
  case warning(String)
  case step(RunStep)
  case evaluated(step: Int, [Metric])
  case sample(step: Int, RunSample)
  /// A checkpoint was saved.
  case saved(step: Int)
}

/// A completed step.
public struct RunStep: Sendable, Equatable {
  public let progress: RunProgress
  public let report: StepReport
  /// The resident bytes of the process.
  public let memory: Int
  /// An estimate from the last steps; nil if there is none yet.
  public let secondsLeft: Double?

  public init(progress: RunProgress, report: StepReport, memory: Int, secondsLeft: Double?) {
    (self.progress, self.report) = (progress, report)
    (self.memory, self.secondsLeft) = (memory, secondsLeft)
  }
}

/// How a run ended.
public enum RunOutcome: Sendable, Equatable {
  case finished
  /// As the stop condition said; the state is saved.
  case stopped(step: Int)
}

/// When a run ends early.
public struct StopCondition: Sendable {
  private let step: Int?
  private let isRequested: @Sendable () -> Bool

  private init(step: Int?, isRequested: @escaping @Sendable () -> Bool) {
    (self.step, self.isRequested) = (step, isRequested)
  }

  /// - Parameters:
  ///   - step: Stop once this much is done; nil for the end.
  ///   - isRequested: Checked before each step, so that another thread, a page or a signal can stop the run.
  public static func at(_ step: Int?, or isRequested: @escaping @Sendable () -> Bool = { false }) -> StopCondition {
    StopCondition(step: step, isRequested: isRequested)
  }
  public static func when(_ isRequested: @escaping @Sendable () -> Bool) -> StopCondition {
    StopCondition(step: nil, isRequested: isRequested)
  }
  /// Never.
  public static let never = StopCondition(step: nil) { false }

  func holds(at done: Int) -> Bool { step.map { done >= $0 } ?? false || isRequested() }
  /// Whether the last allowed step is done; does not check `isRequested`.
  func isReached(at done: Int) -> Bool { step.map { done >= $0 } ?? false }
}

/// Stops a run from another thread.
public final class StopRequest: Sendable {
  private let flag = Atomic(false)
  public init() {}
  public func stop() { flag.store(true, ordering: .relaxed) }
  public var isRequested: Bool { flag.load(ordering: .relaxed) }
}
