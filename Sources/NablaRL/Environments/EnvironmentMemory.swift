/// The buffers of a ``VectorEnvironment``: allocated once, zeroed, and freed with it.
final class EnvironmentMemory {
  let state: UnsafeMutableBufferPointer<Double>
  let discrete: UnsafeMutableBufferPointer<Int32>
  let continuous: UnsafeMutableBufferPointer<Float>
  let observations: UnsafeMutableBufferPointer<Float>
  let finalObservations: UnsafeMutableBufferPointer<Float>
  let rewards: UnsafeMutableBufferPointer<Float>
  let terminated: UnsafeMutableBufferPointer<Bool>
  let truncated: UnsafeMutableBufferPointer<Bool>
  let seeds: UnsafeMutableBufferPointer<UInt64>
  let lengths: UnsafeMutableBufferPointer<Int32>
  /// Episodes begun.
  let episodes: UnsafeMutableBufferPointer<UInt64>
  /// Sums of rewards so far.
  let returns: UnsafeMutableBufferPointer<Double>
  let batch: EnvironmentBatch

  /// - Parameters:
  ///   - observations: O.
  ///   - actions: A.
  ///   - state: S.
  init(count: Int, observations width: Int, actions: Int, state numbers: Int) {
    func zeros<T>(_ count: Int, _ zero: T) -> UnsafeMutableBufferPointer<T> {
      // At least one, so that there is an address.
      let memory = UnsafeMutableBufferPointer<T>.allocate(capacity: max(count, 1))
      memory.initialize(repeating: zero)
      return UnsafeMutableBufferPointer(rebasing: memory[..<count])
    }
    state = zeros(numbers * count, 0)
    discrete = zeros(count, 0)
    continuous = zeros(count * actions, 0)
    observations = zeros(count * width, 0)
    finalObservations = zeros(count * width, 0)
    rewards = zeros(count, 0)
    terminated = zeros(count, false)
    truncated = zeros(count, false)
    seeds = zeros(count, 0)
    lengths = zeros(count, 0)
    episodes = zeros(count, 0)
    returns = zeros(count, 0)
    batch = EnvironmentBatch(
      count: count, observationCount: width, state: state.baseAddress!,
      actions: ActionBatch(discrete: discrete.baseAddress!, continuous: continuous.baseAddress!, width: actions),
      observations: observations.baseAddress!, rewards: rewards.baseAddress!, terminated: terminated.baseAddress!,
      truncated: truncated.baseAddress!, seeds: seeds.baseAddress!, lengths: lengths.baseAddress!)
  }

  deinit {
    state.deallocate()
    discrete.deallocate()
    continuous.deallocate()
    for floats in [observations, finalObservations, rewards] { floats.deallocate() }
    for flags in [terminated, truncated] { flags.deallocate() }
    for numbers in [seeds, episodes] { numbers.deallocate() }
    lengths.deallocate()
    returns.deallocate()
  }
}
