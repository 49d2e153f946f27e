import NablaNN
import NablaTensor
import NablaTraining

/// A running algorithm: ``PPO``, ``A2C`` or ``REINFORCE``.
///
/// ```swift
/// let learner = try PPO(Presets.ppo(for: "CartPole-v1"), in: "CartPole-v1")
/// try learner.train { metrics in print(metrics.step, metrics.episodicReturn ?? 0) }
/// print(try learner.agent.evaluate(.named("CartPole-v1"), episodes: 10, seed: 1).meanReturn)
/// ```
public protocol Learner: AnyObject {
  var session: LearningSession { get }
  /// Acts for one rollout and learns from it.
  /// - Throws: ``EnvironmentError``, or `Diverged` if the loss or the gradient is non-finite.
  func update() throws -> UpdateMetrics
}

extension Learner {
  public var agent: Agent { session.agent }
  public var environments: VectorEnvironment { session.environments }
  /// Environment steps done.
  public var step: Int { session.step }
  public var totalSteps: Int { session.configuration.totalSteps }
  public var isFinished: Bool { step >= totalSteps }

  /// Updates until all steps are done.
  ///
  /// - Parameters:
  ///   - onUpdate: called with the metrics of each update.
  ///   - shouldStop: checked after each update; progress is kept, and training can continue.
  public func train(
    onUpdate: (UpdateMetrics) throws -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws {
    while !isFinished {
      try onUpdate(try update())
      if shouldStop() { return }
    }
  }

  /// Times an update, counts it, and fills in the metrics common to all algorithms.
  ///
  /// - Parameter body: Does the update and returns the environment steps it took and its metrics.
  func measured(_ body: () throws -> (steps: Int, metrics: UpdateMetrics)) throws -> UpdateMetrics {
    let (start, learningRate) = (monotonicSeconds(), session.learningRate)
    session.optimizer.learningRate = constant(learningRate)
    var (steps, metrics) = try body()
    session.progress.step += steps
    session.progress.update += 1
    let progress = session.progress
    (metrics.step, metrics.update, metrics.episodes) = (progress.step, progress.update, progress.episodes)
    metrics.learningRate = Double(learningRate)
    metrics.stepsPerSecond = Double(steps) / max(monotonicSeconds() - start, 1e-9)
    if !progress.returns.isEmpty {
      metrics.episodicReturn = progress.returns.reduce(0, +) / Double(progress.returns.count)
      metrics.episodicLength = Double(progress.lengths.reduce(0, +)) / Double(progress.lengths.count)
    }
    if let logs = agent.network.logStandardDeviation {
      metrics.standardDeviation = Double(logs.exp().mean().item())
    }
    return metrics
  }
}
