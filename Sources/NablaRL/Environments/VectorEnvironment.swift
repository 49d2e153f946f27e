import CNablaKernels
import NablaTensor

/// N copies of an environment that are stepped together. An environment resets within the step that ends its episode.
///
/// ```swift
/// let environments = try VectorEnvironment("CartPole-v1", count: 8)
/// try environments.reset(seed: 1)
/// try environments.step([0, 1, 1, 0, 1, 0, 0, 1])
/// environments.observations  // [N, O]: the input to the next actions
/// environments.finished      // the episodes that ended in this step
/// ```
///
/// Results do not depend on the number of threads: each episode has its own seed, a function of the seed of
/// ``reset(seed:)``, the environment's index and the number of episodes it has had. A step allocates nothing, unless
/// the environment itself does. Not thread-safe.
public final class VectorEnvironment {
  public let name: String
  /// N.
  public let count: Int
  /// O numbers.
  public let observationSpace: ObservationSpace
  public let actionSpace: ActionSpace
  /// Steps after which an episode is cut off.
  public let timeLimit: Int?

  /// [N, O]: the current observations; after the end of an episode, the first observation of the next one.
  public var observations: UnsafeBufferPointer<Float> { UnsafeBufferPointer(memory.observations) }
  /// [N, O]: the last observation of the episode, where the last step ended one; undefined elsewhere. A truncated
  /// episode would have continued from it: bootstrap with its value.
  public var finalObservations: UnsafeBufferPointer<Float> { UnsafeBufferPointer(memory.finalObservations) }
  /// [N]: of the last step.
  public var rewards: UnsafeBufferPointer<Float> { UnsafeBufferPointer(memory.rewards) }
  /// [N]: whether the last step terminated the episode.
  public var terminated: UnsafeBufferPointer<Bool> { UnsafeBufferPointer(memory.terminated) }
  /// [N]: whether the last step truncated the episode. Both can be true, as in Gymnasium; termination then takes
  /// precedence.
  public var truncated: UnsafeBufferPointer<Bool> { UnsafeBufferPointer(memory.truncated) }
  /// The episodes that ended in the last step, in the order of the environments.
  public private(set) var finished: [FinishedEpisode] = []

  /// An episode that has ended.
  public struct FinishedEpisode: Sendable, Hashable, Codable {
    /// Which of the N environments.
    public var environment: Int
    /// The sum of its rewards.
    public var `return`: Double
    /// Its steps.
    public var length: Int
    public var terminated: Bool

    public init(environment: Int, return: Double, length: Int, terminated: Bool) {
      (self.environment, self.return, self.length, self.terminated) = (environment, `return`, length, terminated)
    }
  }

  package let dynamics: any Dynamics
  let memory: EnvironmentMemory
  package let batch: EnvironmentBatch
  var seed: UInt64 = 0

  /// N copies of your own environment.
  ///
  /// - Parameters:
  ///   - name: for messages.
  ///   - count: N.
  ///   - timeLimit: steps after which an episode is cut off.
  ///   - make: called N times.
  public convenience init<E: Environment>(
    name: String = "\(E.self)", count: Int, timeLimit: Int? = nil, _ make: () -> E
  ) {
    precondition(count > 0, "VectorEnvironment: \(count) environments")
    self.init(CopiedEnvironments(name: name, count: count, timeLimit: timeLimit, make: make), count: count)
  }

  package init(_ dynamics: any Dynamics, count: Int) {
    precondition(count > 0, "VectorEnvironment: \(count) environments")
    precondition(dynamics.timeLimit.map { $0 > 0 } ?? true, "VectorEnvironment: a time limit of 0 steps")
    (name, self.count, self.dynamics) = (dynamics.name, count, dynamics)
    (observationSpace, actionSpace, timeLimit) = (
      dynamics.observationSpace, dynamics.actionSpace, dynamics.timeLimit
    )
    memory = EnvironmentMemory(
      count: count, observations: observationSpace.count, actions: actionSpace.count, state: dynamics.stateNames.count)
    batch = memory.batch
    finished.reserveCapacity(count)
  }

  /// Starts N new episodes.
  /// - Throws: ``EnvironmentError/notFinite(name:what:value:step:seed:action:)``.
  public func reset(seed: UInt64) throws(EnvironmentError) {
    self.seed = seed
    finished.removeAll(keepingCapacity: true)
    memory.episodes.update(repeating: 0)
    memory.rewards.update(repeating: 0)
    memory.terminated.update(repeating: false)
    memory.truncated.update(repeating: false)
    for i in 0..<count { try begin(i) }
  }

  /// Acts in every environment. actions: [N], each in 0..<n.
  ///
  /// - Throws: ``EnvironmentError/notFinite(name:what:value:step:seed:action:)``.
  public func step(_ actions: UnsafeBufferPointer<Int32>) throws(EnvironmentError) {
    guard case .discrete(let choices) = actionSpace, actions.count == count else {
      preconditionFailure("\(name): \(actions.count) discrete actions for \(count) environments of \(actionSpace)")
    }
    for (i, action) in actions.enumerated() {
      precondition(0..<choices ~= Int(action), "\(name): action \(action) of environment \(i) is not in 0..<\(choices)")
    }
    _ = memory.discrete.update(fromContentsOf: actions)
    try advance()
  }

  /// Acts in every environment. actions: [N, A].
  ///
  /// - Throws: ``EnvironmentError/notFinite(name:what:value:step:seed:action:)``.
  public func step(continuous actions: UnsafeBufferPointer<Float>) throws(EnvironmentError) {
    guard case .continuous(let low, _) = actionSpace, actions.count == count * low.count else {
      preconditionFailure("\(name): \(actions.count) continuous actions for \(count) environments of \(actionSpace)")
    }
    _ = memory.continuous.update(fromContentsOf: actions)
    try advance()
  }

  /// Acts in every environment. actions: [N].
  public func step(_ actions: [Int32]) throws(EnvironmentError) {
    try actions.withUnsafeBufferPointer { (actions) throws(EnvironmentError) in try step(actions) }
  }

  /// Acts in every environment. actions: [N, A].
  public func step(continuous actions: [Float]) throws(EnvironmentError) {
    try actions.withUnsafeBufferPointer { (actions) throws(EnvironmentError) in try step(continuous: actions) }
  }

  /// Acts at random in every environment: all actions equally likely, or uniform between the bounds
  /// (between -1 and 1 if there are none).
  public func stepAtRandom(_ random: inout RandomSource) throws(EnvironmentError) {
    switch actionSpace {
    case .discrete(let choices): random.integers(below: choices, into: memory.discrete)
    case .continuous(let low, let high):
      for i in memory.continuous.indices {
        let (low, high) = (Double(low[i % low.count]), Double(high[i % low.count]))
        memory.continuous[i] = Float(random.uniform(low.isFinite ? low : -1, high.isFinite ? high : 1))
      }
    }
    try advance()
  }

  private func advance() throws(EnvironmentError) {
    finished.removeAll(keepingCapacity: true)
    memory.truncated.update(repeating: false)
    parallelFor(count, grain: 1024) { dynamics.step($0, batch) }
    var bad: Int64 = 0
    let ended = nabla_advance_episodes(
      Int64(count), Int32(clamping: timeLimit ?? .max), batch.rewards, batch.terminated, batch.truncated,
      memory.returns.baseAddress!, batch.lengths, &bad)
    if bad > 0 || dynamics is any CodableDynamics { try checkFinite() }
    if ended > 0 { try beginAgain() }
  }

  /// Keeps the last observation of the episodes that ended, and starts the next ones.
  private func beginAgain() throws(EnvironmentError) {
    let width = observationSpace.count
    for i in 0..<count where batch.terminated[i] || batch.truncated[i] {
      finished.append(
        FinishedEpisode(
          environment: i, return: memory.returns[i], length: Int(batch.lengths[i]), terminated: batch.terminated[i]))
      (memory.finalObservations.baseAddress! + i * width).update(from: batch.observations + i * width, count: width)
      try begin(i)
    }
  }

  private func begin(_ i: Int) throws(EnvironmentError) {
    batch.seeds[i] = philox(key: seed, counter: memory.episodes[i], stream: UInt64(i) + 1)
    memory.episodes[i] += 1
    memory.returns[i] = 0
    batch.lengths[i] = 0
    var random = RandomSource(seed: batch.seeds[i])
    dynamics.reset(i, random: &random, batch)
    if dynamics is any CodableDynamics { try checkObservation(i) }
  }

  /// Finds the non-finite number: only custom environments, or non-finite actions, produce one.
  private func checkFinite() throws(EnvironmentError) {
    for i in 0..<count {
      if !batch.rewards[i].isFinite { throw notFinite(i, "the reward", batch.rewards[i]) }
      try checkObservation(i)
    }
  }

  private func checkObservation(_ i: Int) throws(EnvironmentError) {
    for k in 0..<observationSpace.count {
      let value = batch.observations[i * observationSpace.count + k]
      if !value.isFinite { throw notFinite(i, "observation \(k) (\(observationSpace.names[k]))", value) }
    }
  }

  private func notFinite(_ i: Int, _ what: String, _ value: Float) -> EnvironmentError {
    let width = actionSpace.count
    let action =
      actionSpace.isDiscrete
      ? "\(memory.discrete[i])" : "\(Array(memory.continuous[i * width..<(i + 1) * width]))"
    return .notFinite(
      name: name, what: what, value: value, step: Int(batch.lengths[i]), seed: batch.seeds[i],
      action: " (action \(action))")
  }
}
