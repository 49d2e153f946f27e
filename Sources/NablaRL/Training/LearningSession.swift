import NablaNN
import NablaTensor
import NablaTraining

/// The state of every policy-gradient algorithm: an agent, its optimizer, the environments it acts in, and everything
/// else that the next step depends on. It can be saved at any update, and resumes with the same bits.
public final class LearningSession {
  public let configuration: any LearnerConfiguration
  public let environments: VectorEnvironment
  public let agent: Agent
  public let optimizer: AdamW
  /// Clips gradients and updates parameters.
  var optimization: OptimizationStep
  /// Environment steps done.
  public var step: Int { progress.step }
  /// The last rollout, which the last update used.
  private(set) var rollout: Rollout
  var progress = Progress()
  /// Draws minibatches.
  var shuffles: RandomSource
  private var actions: RandomSource
  private var rewardStatistics: RunningStatistics?
  /// [N]: discounted returns, whose standard deviation rewards are divided by.
  private var discountedReturns: [Float]

  /// Counters that are saved.
  struct Progress: Codable {
    var step = 0
    var update = 0
    var optimizerStep = 0
    var episodes = 0
    /// Of the last 100 episodes, oldest first.
    var returns: [Double] = []
    var lengths: [Int] = []

    mutating func addEpisode(return sum: Double, length: Int) {
      episodes += 1
      returns.append(sum)
      lengths.append(length)
      if returns.count > 100 {
        returns.removeFirst()
        lengths.removeFirst()
      }
    }
  }

  /// - Parameter steps: T, the steps of each rollout.
  init(_ configuration: any LearnerConfiguration, _ environments: VectorEnvironment, steps: Int) throws {
    try configuration.validate()
    guard environments.count == configuration.environmentCount else {
      throw ConfigurationError(
        "\(environments.count) environments, but \(setting: "environments") is \(configuration.environmentCount)")
    }
    var random = RandomSource(seed: configuration.seed)
    var initial = random.split()
    (actions, shuffles) = (random.split(), random.split())
    let architecture = configuration.architecture(for: environments)
    agent = Agent(
      ActorCritic(architecture, random: &initial),
      observationStatistics: configuration.normalizesObservations
        ? RunningStatistics(width: architecture.observationCount) : nil)
    optimizer = AdamW(
      learningRate: constant(configuration.learningRate), epsilon: configuration.adamEpsilon, weightDecay: 0)
    optimization = OptimizationStep(optimizer, clip: configuration.maxGradientNorm, clipEpsilon: 1e-6)
    rewardStatistics = configuration.normalizesRewards ? RunningStatistics(width: 1) : nil
    discountedReturns = Array(repeating: 0, count: environments.count)
    (self.configuration, self.environments) = (configuration, environments)
    rollout = Rollout(steps: steps, count: environments.count, architecture: architecture)
    try environments.reset(seed: configuration.seed)
    agent.observationStatistics?.add(environments.observations)
  }

  /// The remaining fraction of the training: 1 at the start.
  var remaining: Float { max(0, 1 - Float(progress.step) / Float(configuration.totalSteps)) }

  /// The learning rate of the next update.
  var learningRate: Float { configuration.learningRate * (configuration.annealsLearningRate ? remaining : 1) }

  // MARK: Acting

  /// Acts for T steps in all environments, and records the results.
  func collect() throws {
    var scratch = Scratch()
    let noise = noise()
    for t in 0..<rollout.steps {
      try act(t, noise, &scratch)
      record(t, environments.finished)
    }
    rollout.taken = rollout.steps
  }

  /// Runs one episode, of at most T steps, in every environment.
  /// - Returns: [N]: the steps of each. Steps of an environment after that are recorded but must be ignored.
  func collectEpisodes() throws -> [Int] {
    try environments.reset(seed: actions.next())
    for i in discountedReturns.indices { discountedReturns[i] = 0 }
    var lengths = [Int](repeating: 0, count: environments.count)
    var open = environments.count
    var scratch = Scratch()
    let noise = noise()
    rollout.taken = 0
    while rollout.taken < rollout.steps && open > 0 {
      try act(rollout.taken, noise, &scratch)
      let first = environments.finished.filter { lengths[$0.environment] == 0 }
      record(rollout.taken, first)
      rollout.taken += 1
      for episode in first { lengths[episode.environment] = rollout.taken }
      open -= first.count
    }
    // The others are cut off here: they have a return too.
    for i in lengths.indices where lengths[i] == 0 {
      lengths[i] = rollout.taken
      progress.addEpisode(return: environments.memory.returns[i], length: rollout.taken)
    }
    return lengths
  }

  /// The noise from which actions are drawn, for a whole rollout: [T, N], or [T, N·A].
  private func noise() -> Tensor {
    rollout.finalObservations.removeAll(keepingCapacity: true)
    rollout.finalRows.removeAll(keepingCapacity: true)
    let space = agent.architecture.actionSpace
    return space.isDiscrete
      ? actions.uniform([rollout.steps, environments.count])
      : actions.normal([rollout.steps, environments.count * space.count])
  }

  /// Memory for the kernels, made at the first use.
  private struct Scratch { var tensor: Tensor? }

  private func act(_ t: Int, _ noise: Tensor, _ scratch: inout Scratch) throws {
    let (n, actionCount) = (environments.count, agent.architecture.actionSpace.count)
    let observations = rollout.observations[t * n..<(t + 1) * n]
    agent.normalize(environments.observations, into: observations.floats)
    let output = withoutGradient { agent.network.actionOutput(observations) }
    let memory = scratch.tensor ?? output.scratch
    scratch.tensor = memory
    let chosen = Actions(rollout.actions) + (t * n, actionCount)
    output.sample(
      noise: noise.floats + t * noise.shape[1], into: chosen,
      logProbabilities: rollout.logProbabilities.floats + t * n, scratch: memory)
    try agent.take(chosen, in: environments)
    agent.observationStatistics?.add(environments.observations)
  }

  private func record(_ t: Int, _ finished: [VectorEnvironment.FinishedEpisode]) {
    let (n, width) = (environments.count, agent.architecture.observationCount)
    let (terminated, truncated) = (environments.terminated, environments.truncated)
    let rewards = normalizedRewards()
    for i in 0..<n {
      rollout.outcome.rewards[t * n + i] = rewards?[i] ?? environments.rewards[i]
      rollout.outcome.terminated[t * n + i] = terminated[i]
      rollout.outcome.truncated[t * n + i] = truncated[i]
    }
    for episode in finished {
      progress.addEpisode(return: episode.return, length: episode.length)
      let i = episode.environment
      if truncated[i] && !terminated[i] {
        rollout.finalRows.append(t * n + i)
        let seen = agent.seen(
          UnsafeBufferPointer(rebasing: environments.finalObservations[i * width..<(i + 1) * width]))
        withExtendedLifetime(seen) {
          rollout.finalObservations.append(contentsOf: UnsafeBufferPointer(start: seen.floats, count: width))
        }
      }
    }
  }

  /// Rewards over the running standard deviation of the discounted return, clipped to ±10 (Huang et al. 2022, details
  /// "reward scaling" and "reward clipping"); nil if rewards are not scaled.
  private func normalizedRewards() -> [Float]? {
    guard rewardStatistics != nil else { return nil }
    for i in discountedReturns.indices {
      discountedReturns[i] = discountedReturns[i] * configuration.discount + environments.rewards[i]
    }
    discountedReturns.withUnsafeBufferPointer { rewardStatistics!.add($0) }
    let scale = Float(1 / (rewardStatistics!.variance[0] + 1e-8).squareRoot())
    for i in discountedReturns.indices where environments.terminated[i] || environments.truncated[i] {
      discountedReturns[i] = 0
    }
    return environments.rewards.map { min(max($0 * scale, -10), 10) }
  }

  /// Estimates the values, advantages and returns of the last rollout.
  func estimate(lambda: Float, usesValues: Bool = true) {
    rollout.estimate(
      with: agent, last: agent.seen(environments.observations), discount: configuration.discount, lambda: lambda,
      usesValues: usesValues)
  }

  // MARK: Saving

  /// Everything the next update depends on, except the tensors.
  public struct State: Codable, Sendable {
    var algorithm: String
    var architecture: PolicyArchitecture
    var progress: Progress
    var actions: RandomSource
    var shuffles: RandomSource
    var environments: VectorEnvironment.State
    var observationStatistics: RunningStatistics?
    var rewardStatistics: RunningStatistics?
    var discountedReturns: [Float]

    /// Environment steps done.
    public var step: Int { progress.step }
  }

  /// - Throws: errors from encoding a custom environment.
  public func state() throws -> State {
    var progress = progress
    progress.optimizerStep = optimizer.step
    return State(
      algorithm: type(of: configuration).algorithm, architecture: agent.architecture, progress: progress,
      actions: actions, shuffles: shuffles, environments: try environments.state(),
      observationStatistics: agent.observationStatistics, rewardStatistics: rewardStatistics,
      discountedReturns: discountedReturns)
  }

  /// Parameters by name, and the optimizer's moments as "optimizer.NAME.KIND".
  public var tensors: [String: Tensor] {
    var result: [String: Tensor] = [:]
    for parameter in agent.network.parameters() { result[parameter.name] = parameter.value }
    for (name, tensor) in optimizer.state { result["optimizer.\(name)"] = tensor }
    return result
  }

  /// Restores a saved state.
  /// - Throws: ``LearningError/badState(_:)``, `StateError` or ``EnvironmentError`` if it does not fit.
  public func restore(_ state: State, tensors: [String: Tensor]) throws {
    guard state.algorithm == type(of: configuration).algorithm else {
      throw LearningError.badState("it is of \(state.algorithm), but this is \(type(of: configuration).algorithm)")
    }
    guard state.architecture == agent.architecture else {
      throw LearningError.badState("its network or spaces differ from those of \(environments.name)")
    }
    guard state.discountedReturns.count == environments.count,
      (state.observationStatistics == nil) == (agent.observationStatistics == nil),
      (state.rewardStatistics == nil) == (rewardStatistics == nil),
      state.observationStatistics.map({ $0.mean.count == agent.architecture.observationCount }) ?? true,
      state.rewardStatistics.map({ $0.mean.count == 1 }) ?? true
    else { throw LearningError.badState("its statistics do not fit the settings") }
    try environments.restore(state.environments)
    var parameters: [String: Tensor] = [:]
    var moments: [String: Tensor] = [:]
    for (name, tensor) in tensors {
      if name.hasPrefix("optimizer.") {
        moments[String(name.dropFirst("optimizer.".count))] = tensor
      } else {
        parameters[name] = tensor
      }
    }
    try agent.network.load(parameters)
    try optimizer.restore(moments, step: state.progress.optimizerStep, for: agent.network)
    (progress, actions, shuffles) = (state.progress, state.actions, state.shuffles)
    agent.observationStatistics = state.observationStatistics
    (rewardStatistics, discountedReturns) = (state.rewardStatistics, state.discountedReturns)
  }
}
