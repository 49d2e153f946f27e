import NablaRL
import NablaTensor
import Testing

/// Counts its steps; ends itself after `life`, or says it is cut off when `cuts`.
struct Counter: Environment {
  var life = 3
  var cuts = false
  var place = 0
  var offset: Float = 0
  var random = RandomSource(seed: 0)

  var observationSpace: ObservationSpace { ObservationSpace(["steps", "noise"], within: [100, 1]) }
  var actionSpace: ActionSpace { .discrete(3) }

  mutating func reset(seed: UInt64) -> [Float] {
    random = RandomSource(seed: seed)
    offset = Float(random.uniform())
    place = 0
    return [0, offset]
  }

  mutating func step(_ action: Int) -> EnvironmentStep {
    place += 1
    return EnvironmentStep(
      [Float(place), Float(random.uniform())], reward: Float(action), terminated: !cuts && place == life,
      truncated: cuts && place == life)
  }
}

/// Gives numbers that are none, when told to.
struct Broken: Environment {
  var steps = 0
  var observationSpace: ObservationSpace { ObservationSpace(["height"], within: [1]) }
  var actionSpace: ActionSpace { .continuous(low: [-1], high: [1]) }
  mutating func reset(seed: UInt64) -> [Float] {
    steps = 0
    return [0]
  }
  mutating func step(_ action: [Float]) -> EnvironmentStep {
    steps += 1
    return EnvironmentStep([action[0] == 2 ? .infinity : 0], reward: action[0] == 1 ? .nan : 0)
  }
}

@Suite struct VectorEnvironmentTests {
  @Test func oneStepsOwnEnvironments() throws {
    let environments = VectorEnvironment(count: 2) { Counter() }
    try environments.reset(seed: 5)
    let first = Array(environments.observations)
    #expect(first[0] == 0 && first[2] == 0 && first[1] != first[3])
    try environments.step([2, 1])
    #expect(Array(environments.rewards) == [2, 1])
    #expect(environments.observations[0] == 1 && environments.finished.isEmpty)
    try environments.step([2, 1])
    try environments.step([0, 1])
    #expect(Array(environments.terminated) == [true, true] && Array(environments.truncated) == [false, false])
    #expect(
      environments.finished == [
        .init(environment: 0, return: 4, length: 3, terminated: true),
        .init(environment: 1, return: 3, length: 3, terminated: true),
      ])
    // The last observation of the episode, and the first of the next.
    #expect(environments.finalObservations[0] == 3 && environments.finalObservations[2] == 3)
    #expect(environments.observations[0] == 0 && environments.observations[1] != first[1])
    try environments.step([0, 0])
    #expect(Array(environments.terminated) == [false, false] && environments.finished.isEmpty)
    #expect(environments.observations[0] == 1)
  }

  @Test func truncationIsToldFromTheEnd() throws {
    let cut = VectorEnvironment(count: 1) { Counter(cuts: true) }
    try cut.reset(seed: 1)
    for _ in 0..<3 { try cut.step([1]) }
    #expect(cut.truncated[0] && !cut.terminated[0] && cut.finished[0].terminated == false)

    let limited = VectorEnvironment(count: 1, timeLimit: 2) { Counter() }
    try limited.reset(seed: 1)
    try limited.step([1])
    #expect(!limited.truncated[0])
    try limited.step([1])
    #expect(limited.truncated[0] && !limited.terminated[0] && limited.finalObservations[0] == 2)
    #expect(limited.finished == [.init(environment: 0, return: 2, length: 2, terminated: false)])

    // At the limit and at its end at once: both, as in Gymnasium.
    let both = VectorEnvironment(count: 1, timeLimit: 3) { Counter() }
    try both.reset(seed: 1)
    for _ in 0..<3 { try both.step([1]) }
    #expect(both.truncated[0] && both.terminated[0])
  }

  @Test func whatIsNoNumberIsNamed() throws {
    let environments = VectorEnvironment(count: 3) { Broken() }
    try environments.reset(seed: 1)
    try environments.step(continuous: [Float](repeating: 0, count: 3))
    let seed = environments.batch.seeds[1]
    #expect { try environments.step(continuous: [0, 1, 0]) } throws: {
      "\($0)".contains("Broken: the reward is nan at step 2 (action [1.0]) of the episode with seed \(seed);")
    }
    #expect { try environments.step(continuous: [0, 0, 2]) } throws: {
      "\($0)".contains("observation 0 (height) is inf at step 3")
    }
  }

  /// The same numbers for any count of threads, and each environment's own whatever stands beside it.
  @Test(arguments: EnvironmentDescription.all.map(\.name))
  func threadsDoNotMatter(name: String) throws {
    func run(_ count: Int, threads: Int) throws -> [Float] {
      try Threads.with(threads) {
        let environments = try VectorEnvironment(name, count: count)
        var random = RandomSource(seed: 3)
        try environments.reset(seed: 9)
        for _ in 0..<60 { try environments.stepAtRandom(&random) }
        return Array(environments.observations)
      }
    }
    let many = try run(3000, threads: 1)
    #expect(try run(3000, threads: 2) == many)
  }

  @Test func goingOnFromASavedState() throws {
    func check(_ make: () throws -> VectorEnvironment) throws {
      let (one, other) = (try make(), try make())
      var random = RandomSource(seed: 1)
      try one.reset(seed: 2)
      for _ in 0..<50 { try one.stepAtRandom(&random) }
      let saved = try decodedState(try one.state())
      try other.reset(seed: 77)
      try other.restore(saved)
      #expect(Array(other.observations) == Array(one.observations))
      var again = random
      for _ in 0..<50 {
        try one.stepAtRandom(&random)
        try other.stepAtRandom(&again)
        #expect(one.finished == other.finished)
        #expect(Array(one.observations) == Array(other.observations))
      }
    }
    for description in EnvironmentDescription.all { try check { description.make(count: 5) } }
    try check { VectorEnvironment(count: 5, timeLimit: 7) { Counter(life: 11) } }
  }

  @Test func statesOfOthersAreRefused() throws {
    let environments = try VectorEnvironment("CartPole-v1", count: 3)
    let own = VectorEnvironment(count: 3) { Counter() }
    #expect(throws: EnvironmentError.otherEnvironment(name: "CartPole-v1", saved: "Counter")) {
      try environments.restore(own.state())
    }
    #expect(throws: EnvironmentError.otherCount(name: "CartPole-v1", saved: 2, count: 3)) {
      try environments.restore(VectorEnvironment("CartPole-v1", count: 2).state())
    }
  }

  @Test func aMisspeltNameIsPutRight() {
    #expect { try VectorEnvironment("cartpole", count: 1) } throws: {
      "\($0)".contains("unknown environment 'cartpole': did you mean 'CartPole-v1'?")
    }
  }
}
