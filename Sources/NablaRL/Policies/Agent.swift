import Glibc
import NablaTensor

/// An actor-critic with the statistics for normalizing observations.
///
/// ```swift
/// let agent = try Agent(contentsOf: "run/policy")
/// let result = try agent.evaluate(EnvironmentDescription.named("CartPole-v1"), episodes: 10, seed: 1)
/// print(result.meanReturn)
/// ```
public final class Agent {
  public let network: ActorCritic
  /// nil if observations are not normalized.
  public internal(set) var observationStatistics: RunningStatistics?
  /// Normalized observations are clipped to ± this.
  public let observationClip: Float

  public init(_ network: ActorCritic, observationStatistics: RunningStatistics? = nil, observationClip: Float = 10) {
    self.network = network
    self.observationStatistics = observationStatistics
    self.observationClip = observationClip
  }

  public var architecture: PolicyArchitecture { network.architecture }

  /// The network's input for observations [B, O]: normalized, if this agent does so.
  public func seen(_ observations: UnsafeBufferPointer<Float>) -> Tensor {
    let width = architecture.observationCount
    let result = Tensor(uninitialized: [observations.count / width, width])
    normalize(observations, into: result.floats)
    return result
  }

  public func seen(_ observations: [Float]) -> Tensor { observations.withUnsafeBufferPointer { seen($0) } }

  func normalize(_ observations: UnsafeBufferPointer<Float>, into result: UnsafeMutablePointer<Float>) {
    if let observationStatistics {
      observationStatistics.normalize(observations, into: result, limit: observationClip)
    } else if let base = observations.baseAddress {
      result.update(from: base, count: observations.count)
    }
  }

  /// Acts in every environment: the most likely action, or one drawn with `random`.
  /// - Throws: ``EnvironmentError``.
  public func act(in environments: VectorEnvironment, random: inout RandomSource, greedily: Bool) throws {
    let output = withoutGradient { network.actionOutput(seen(environments.observations)) }
    let (count, width) = (environments.count, output.actionCount)
    let chosen = Tensor(
      uninitialized: [count, environments.actionSpace.isDiscrete ? 1 : width],
      dtype: environments.actionSpace.isDiscrete ? .int32 : .float32)
    if greedily {
      output.likeliest(into: Actions(chosen))
    } else {
      let noise = environments.actionSpace.isDiscrete ? random.uniform([count]) : random.normal([count, width])
      let logProbabilities = Tensor(uninitialized: [count])
      withExtendedLifetime((noise, logProbabilities)) {
        output.sample(
          noise: noise.floats, into: Actions(chosen), logProbabilities: logProbabilities.floats,
          scratch: output.scratch)
      }
    }
    try withExtendedLifetime(chosen) { try take(Actions(chosen), in: environments) }
  }

  /// Steps the environments with actions as drawn by the policy.
  func take(_ actions: Actions, in environments: VectorEnvironment) throws(EnvironmentError) {
    if let discrete = actions.discrete {
      try environments.step(UnsafeBufferPointer(start: discrete, count: environments.count))
    } else if let numbers = actions.continuous, case .continuous(let low, let high) = environments.actionSpace {
      let bounded = (0..<environments.count * low.count).map { i in
        architecture.bounded(numbers[i], low: low[i % low.count], high: high[i % low.count])
      }
      try environments.step(continuous: bounded)
    }
  }
}

extension Actions {
  /// Actions in a tensor: int32 or float32.
  init(_ tensor: Tensor) {
    if tensor.dtype == .int32 {
      self.init(discrete: tensor.integers, continuous: nil)
    } else {
      self.init(discrete: nil, continuous: tensor.floats)
    }
  }
}

func tanhFloat(_ x: Float) -> Float { tanhf(x) }
