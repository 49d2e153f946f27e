import NablaTraining

/// The metrics of one update (a rollout, and the learning from it). Documentation/ppo.md defines each of them.
public struct UpdateMetrics: Sendable, Codable, Hashable {
  /// Environment steps so far.
  public var step = 0
  /// Updates so far.
  public var update = 0
  /// Mean return of the last 100 finished episodes; nil before the first.
  public var episodicReturn: Double?
  /// Mean length of the last 100 finished episodes, in steps.
  public var episodicLength: Double?
  /// Episodes finished so far.
  public var episodes = 0
  /// Of the last epoch.
  public var policyLoss = 0.0
  /// Mean squared error of the value function, of the last epoch.
  public var valueLoss = 0.0
  /// Mean entropy of the policy, in nats.
  public var entropy = 0.0
  /// An estimate of KL(π_old ‖ π), in nats: the mean of (r - 1) - ln r, of the last epoch.
  public var approximateKL = 0.0
  /// Fraction of samples whose ratio was clipped, over all epochs.
  public var clipFraction = 0.0
  /// 1 - Var(R - V) / Var(R), of the values before the update; nil if all returns are equal.
  public var explainedVariance: Double?
  public var learningRate = 0.0
  /// ε of the clipped objective; nil for algorithms that do not clip.
  public var clipRange: Double?
  /// Global norm of the gradient before clipping: the mean over the optimizer's steps.
  public var gradientNorm = 0.0
  /// Epochs done; fewer than requested after early stopping by KL.
  public var epochs = 0
  /// Mean standard deviation of continuous actions; nil for discrete ones.
  public var standardDeviation: Double?
  /// Environment steps per second, of this update.
  public var stepsPerSecond = 0.0

  public init() {}

  /// Under the names used by CleanRL and Stable-Baselines3.
  public var named: [Metric] {
    let all: [(String, Double?)] = [
      ("charts/episodic_return", episodicReturn), ("charts/episodic_length", episodicLength),
      ("charts/learning_rate", learningRate), ("charts/SPS", stepsPerSecond),
      ("losses/policy_loss", policyLoss), ("losses/value_loss", valueLoss), ("losses/entropy", entropy),
      ("losses/approx_kl", approximateKL), ("losses/clipfrac", clipFraction),
      ("losses/explained_variance", explainedVariance), ("losses/gradient_norm", gradientNorm),
      ("charts/clip_range", clipRange), ("charts/epochs", Double(epochs)), ("charts/std", standardDeviation),
      ("charts/episodes", Double(episodes)),
    ]
    return all.compactMap { name, value in value.map { Metric(name, $0) } }
  }
}
