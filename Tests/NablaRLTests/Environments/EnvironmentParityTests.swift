import NablaFormats
import NablaRL
import NablaTensor
import Testing

/// Every environment against Gymnasium's (Tests/Fixtures/generate/environments.py): states to 1e-12, flags exactly.
@Suite struct EnvironmentParityTests {
  static let names = [
    "SimpleCartPole", "CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "Acrobot-v1",
  ]

  /// Steps each state of the fixture on its own.
  @Test(arguments: names, ["pairs", "random", "skilled"])
  func eachStep(name: String, part: String) throws {
    let case_ = try ParityCase(name, part)
    let environments = try VectorEnvironment(name, count: case_.count)
    case_.load(into: environments)
    environments.dynamics.step(0..<case_.count, environments.batch)
    for i in 0..<case_.count {
      case_.expectNext(environments.batch, environment: i, step: i)
      case_.expectObservation(environments.batch.observations, environment: i, step: i)
      #expect(abs(Double(environments.batch.rewards[i]) - case_.reward[i]) <= 1e-6 * (1 + abs(case_.reward[i])))
      #expect(environments.batch.terminated[i] == (case_.terminated[i] != 0), "\(name) \(part) \(i)")
    }
  }

  /// Plays a whole episode from its first state, rounding errors adding up, to the same end.
  ///
  /// Not CartPole's skilled one: an unstable system multiplies the last bit of a sine by e⁴⁰ in ten seconds.
  @Test(arguments: names, ["random", "skilled"])
  func wholeEpisode(name: String, part: String) throws {
    let case_ = try ParityCase(name, part)
    if name == "CartPole-v1", part == "skilled" { return }
    let environments = try VectorEnvironment(name, count: 1)
    try environments.reset(seed: 0)
    for s in 0..<case_.width { environments.batch[s, 0] = case_.state[s] }
    for t in 0..<case_.count {
      try environments.step(case_, t)
      let isOver = case_.terminated[t] != 0 || case_.truncated[t] != 0
      #expect(environments.terminated[0] == (case_.terminated[t] != 0), "\(name) \(part) step \(t)")
      #expect(environments.truncated[0] == (case_.truncated[t] != 0), "\(name) \(part) step \(t)")
      if isOver {
        case_.expectObservation(environments.finalObservations.baseAddress!, environment: 0, step: t)
      } else {
        case_.expectNext(environments.batch, environment: 0, step: t)
      }
    }
    #expect(environments.finished.count == 1 && environments.finished[0].length == case_.count)
    let sum = case_.reward.reduce(0, +)
    #expect(abs(environments.finished[0].return - sum) <= 1e-5 * (1 + abs(sum)))
  }

  /// A step of many is, bit for bit, the step of each, whatever the vector width leaves over.
  @Test(arguments: [1, 7, 8, 9, 1025])
  func manyAreEach(count: Int) throws {
    let case_ = try ParityCase("CartPole-v1", "pairs")
    let (many, one) = (
      try VectorEnvironment("CartPole-v1", count: count), try VectorEnvironment("CartPole-v1", count: 1)
    )
    for i in 0..<count {
      for s in 0..<4 { many.batch[s, i] = case_.state[i % case_.count * 4 + s] }
      many.batch.actions.discrete[i] = case_.discrete[i % case_.count]
    }
    many.dynamics.step(0..<count, many.batch)
    for i in stride(from: 0, to: count, by: max(1, count / 64)) {
      for s in 0..<4 { one.batch[s, 0] = case_.state[i % case_.count * 4 + s] }
      one.batch.actions.discrete[0] = case_.discrete[i % case_.count]
      one.dynamics.step(0..<1, one.batch)
      for s in 0..<4 { #expect(abs(one.batch[s, 0] - many.batch[s, i]) <= 1e-15 * (1 + abs(one.batch[s, 0]))) }
    }
  }
}

/// One case of the fixture.
struct ParityCase {
  let name: String
  let count: Int
  /// S.
  let width: Int
  let state: [Double]
  let next: [Double]
  let observation: [Float]
  let reward: [Double]
  let terminated: [Int32]
  let truncated: [Int32]
  /// One of the two is empty.
  let discrete: [Int32]
  let continuous: [Float]

  init(_ name: String, _ part: String) throws {
    let file = try SafetensorsFile(path: fixturePath("environments.safetensors")).tensors()
    func tensor(_ field: String) throws -> Tensor { try #require(file["\(name).\(part).\(field)"]) }
    self.name = "\(name) \(part)"
    let states = try tensor("state")
    (count, width) = (states.shape[0], states.shape[1])
    state = states.array(of: Double.self)
    next = try tensor("next").array(of: Double.self)
    observation = try tensor("observation").array()
    reward = try tensor("reward").array(of: Double.self)
    terminated = try tensor("terminated").array(of: Int32.self)
    truncated = try tensor("truncated").array(of: Int32.self)
    let action = try tensor("action")
    discrete = action.dtype == .int32 ? action.array(of: Int32.self) : []
    continuous = action.dtype == .int32 ? [] : action.array()
  }

  func load(into environments: VectorEnvironment) {
    for i in 0..<count {
      for s in 0..<width { environments.batch[s, i] = state[i * width + s] }
      if discrete.isEmpty {
        environments.batch.actions.continuous[i] = continuous[i]
      } else {
        environments.batch.actions.discrete[i] = discrete[i]
      }
    }
  }

  func expectNext(_ batch: EnvironmentBatch, environment i: Int, step t: Int) {
    for s in 0..<width {
      let (actual, expected) = (batch[s, i], next[t * width + s])
      #expect(abs(actual - expected) <= 1e-12 * max(1, abs(expected)), "\(name): number \(s) of the state of step \(t)")
    }
  }

  func expectObservation(_ observations: UnsafePointer<Float>, environment i: Int, step t: Int) {
    let width = observation.count / count
    for k in 0..<width {
      let (actual, expected) = (observations[i * width + k], observation[t * width + k])
      #expect(abs(actual - expected) <= expected.ulp, "\(name): observation \(k) of step \(t)")
    }
  }
}

extension VectorEnvironment {
  fileprivate func step(_ case_: ParityCase, _ t: Int) throws {
    if case_.discrete.isEmpty {
      try step(continuous: [case_.continuous[t]])
    } else {
      try step([case_.discrete[t]])
    }
  }
}
