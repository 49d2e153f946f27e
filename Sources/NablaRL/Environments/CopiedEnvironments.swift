import FoundationEssentials
import NablaFormats
import NablaTensor

/// N copies of an ``Environment`` as ``Dynamics``.
final class CopiedEnvironments<E: Environment>: Dynamics, @unchecked Sendable {
  let name: String
  let observationSpace: ObservationSpace
  let actionSpace: ActionSpace
  let timeLimit: Int?
  var stateNames: [String] { [] }

  // Safe to share: `step` reaches each copy through a pointer, and no two threads the same one.
  private let copies: UnsafeMutableBufferPointer<E>

  init(name: String, count: Int, timeLimit: Int?, make: () -> E) {
    copies = .allocate(capacity: count)
    for i in 0..<count { copies.initializeElement(at: i, to: make()) }
    self.name = name
    self.timeLimit = timeLimit
    observationSpace = copies[0].observationSpace
    actionSpace = copies[0].actionSpace
    precondition(
      actionSpace.isDiscrete == (E.Action.self == Int.self),
      "\(name): actions are \(E.Action.self), which does not fit the action space \(actionSpace)")
  }

  deinit {
    copies.deinitialize()
    copies.deallocate()
  }

  func reset(_ index: Int, random: inout RandomSource, _ batch: EnvironmentBatch) {
    write(copies[index].reset(seed: batch.seeds[index]), index, batch)
  }

  func step(_ range: Range<Int>, _ batch: EnvironmentBatch) {
    for i in range {
      let result = copies[i].step(.of(i, in: batch.actions))
      write(result.observation, i, batch)
      batch.rewards[i] = result.reward
      batch.terminated[i] = result.terminated
      batch.truncated[i] = result.truncated
    }
  }

  private func write(_ observation: [Float], _ i: Int, _ batch: EnvironmentBatch) {
    precondition(
      observation.count == batch.observationCount,
      "\(name): an observation of \(observation.count) numbers, but the space has \(batch.observationCount)")
    for (k, value) in observation.enumerated() { batch.observations[i * batch.observationCount + k] = value }
  }
}

extension CopiedEnvironments: CodableDynamics {
  func encoded() throws -> Data { try JSONEncoder.keepingNonFinite.encode(Array(copies)) }

  func restore(_ data: Data) throws {
    let saved = try JSONDecoder.keepingNonFinite.decode([E].self, from: data)
    guard saved.count == copies.count else {
      throw EnvironmentError.otherCount(name: name, saved: saved.count, count: copies.count)
    }
    for (i, environment) in saved.enumerated() { copies[i] = environment }
  }
}

/// Dynamics that keep their own state.
protocol CodableDynamics: Dynamics {
  func encoded() throws -> Data
  func restore(_ data: Data) throws
}
