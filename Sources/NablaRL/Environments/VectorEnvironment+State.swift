import FoundationEssentials

extension VectorEnvironment {
  /// Everything that the next steps depend on, for checkpoints.
  public struct State: Codable, Sendable {
    var name: String
    var count: Int
    var seed: UInt64
    var state: [Double]
    var observations: [Float]
    var seeds: [UInt64]
    var lengths: [Int32]
    var episodes: [UInt64]
    var returns: [Double]
    /// The copies of a custom environment.
    var copies: Data?
  }

  /// - Throws: Errors from encoding a custom environment.
  public func state() throws -> State {
    State(
      name: name, count: count, seed: seed, state: Array(memory.state), observations: Array(memory.observations),
      seeds: Array(memory.seeds), lengths: Array(memory.lengths), episodes: Array(memory.episodes),
      returns: Array(memory.returns), copies: try (dynamics as? any CodableDynamics)?.encoded())
  }

  /// Restores a saved state.
  ///
  /// - Throws: ``EnvironmentError`` if it is of another environment, or has another number of them.
  public func restore(_ saved: State) throws {
    guard saved.name == name else { throw EnvironmentError.otherEnvironment(name: name, saved: saved.name) }
    guard saved.count == count else {
      throw EnvironmentError.otherCount(name: name, saved: saved.count, count: count)
    }
    func load<T>(_ values: [T], _ memory: UnsafeMutableBufferPointer<T>, _ what: String) throws(EnvironmentError) {
      guard values.count == memory.count else {
        throw .badState(name: name, problem: "it has \(values.count) \(what) instead of \(memory.count)")
      }
      _ = memory.update(fromContentsOf: values)
    }
    if let own = dynamics as? any CodableDynamics {
      guard let copies = saved.copies else {
        throw EnvironmentError.badState(name: name, problem: "the environments themselves are missing")
      }
      try own.restore(copies)
    }
    try load(saved.state, memory.state, "numbers of state")
    try load(saved.observations, memory.observations, "observed numbers")
    try load(saved.seeds, memory.seeds, "seeds")
    try load(saved.lengths, memory.lengths, "lengths")
    try load(saved.episodes, memory.episodes, "episode counts")
    try load(saved.returns, memory.returns, "returns")
    seed = saved.seed
    memory.rewards.update(repeating: 0)
    memory.terminated.update(repeating: false)
    memory.truncated.update(repeating: false)
  }
}
