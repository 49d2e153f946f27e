import FoundationEssentials
import NablaFormats
import NablaRL
import NablaTensor
import NablaTraining
import Testing

/// One step: the observation is ±1, the right action is its sign; the reward is 1 for it, else 0. The best mean is 1, a
/// guess gives ½, and a wrong sign 0.
struct Sign: Environment {
  var sign: Float = 1
  var observationSpace: ObservationSpace { ObservationSpace(["sign"], within: [1]) }
  var actionSpace: ActionSpace { .discrete(2) }
  mutating func reset(seed: UInt64) -> [Float] {
    sign = seed % 2 == 0 ? 1 : -1
    return [sign]
  }
  mutating func step(_ action: Int) -> EnvironmentStep {
    EnvironmentStep([sign], reward: (action == 1) == (sign > 0) ? 1 : 0, terminated: true)
  }
}

/// One step: the reward is -(a - ½·observation)², best 0.
struct Target: Environment {
  var target: Float = 0
  var observationSpace: ObservationSpace { ObservationSpace(["target"], within: [1]) }
  var actionSpace: ActionSpace { .continuous(low: [-2], high: [2]) }
  mutating func reset(seed: UInt64) -> [Float] {
    target = Float(seed % 201) / 100 - 1
    return [target]
  }
  mutating func step(_ action: [Float]) -> EnvironmentStep {
    let error = min(max(action[0], -2), 2) - target / 2
    return EnvironmentStep([target], reward: -error * error, terminated: true)
  }
}

/// The first step gives 4, each further one 1. The observation says whether it is the first. Ends after `steps`, or never.
struct Bonus: Environment {
  var steps: Int?
  var taken = 0
  var observationSpace: ObservationSpace { ObservationSpace(["first"], within: [1]) }
  var actionSpace: ActionSpace { .discrete(2) }
  init(steps: Int? = nil) { self.steps = steps }
  mutating func reset(seed: UInt64) -> [Float] {
    taken = 0
    return [1]
  }
  mutating func step(_ action: Int) -> EnvironmentStep {
    taken += 1
    return EnvironmentStep([0], reward: taken == 1 ? 4 : 1, terminated: taken == steps)
  }
}

/// One step, in which nothing has bounds: spaces and state hold infinities.
struct Unbounded: Environment {
  var worst = -Float.infinity
  var observationSpace: ObservationSpace { ObservationSpace(["one"], low: [-.infinity], high: [.infinity]) }
  var actionSpace: ActionSpace { .continuous(low: [-.infinity], high: [.infinity]) }
  mutating func reset(seed: UInt64) -> [Float] { [1] }
  mutating func step(_ action: [Float]) -> EnvironmentStep {
    EnvironmentStep([1], reward: -action[0] * action[0], terminated: true)
  }
}

@Suite struct LearningTests {
  static func ppo(_ change: (inout PPOConfiguration) -> Void = { _ in }) -> PPOConfiguration {
    var c = PPOConfiguration()
    (c.environmentCount, c.rolloutSteps, c.minibatchSize, c.epochs) = (8, 32, 64, 4)
    (c.hiddenWidths, c.learningRate, c.totalSteps) = ([16], 5e-3, 256 * 12)
    change(&c)
    return c
  }

  @Test(arguments: [false, true]) func ppoLearnsADiscreteTask(_ shared: Bool) throws {
    let learner = try PPO(Self.ppo { $0.sharesNetwork = shared }, in: VectorEnvironment(count: 8) { Sign() })
    try learner.train()
    let result = try learner.agent.evaluate(VectorEnvironment(count: 64) { Sign() }, seed: 5)
    #expect(result.meanReturn == 1)
    #expect(result.returns.count == 64 && result.lengths.allSatisfy { $0 == 1 })
  }

  @Test(arguments: [false, true]) func ppoLearnsAContinuousTask(_ squashes: Bool) throws {
    let c = Self.ppo {
      $0.squashesActions = squashes
      $0.totalSteps = 256 * 60
      $0.normalizesObservations = true
      $0.normalizesRewards = true
      $0.annealsLearningRate = true
    }
    let learner = try PPO(c, in: VectorEnvironment(count: 8) { Target() })
    try learner.train()
    let result = try learner.agent.evaluate(VectorEnvironment(count: 64) { Target() }, seed: 5)
    // Always 0 would give about -0.083, the mean of (target/2)².
    #expect(result.meanReturn > -0.03)
  }

  @Test(arguments: ["a2c", "reinforce", "reinforce_baseline"]) func othersLearn(_ name: String) throws {
    let environments = VectorEnvironment(count: 8) { Sign() }
    let learner: any Learner
    if name == "a2c" {
      var c = A2CConfiguration()
      (c.hiddenWidths, c.learningRate, c.totalSteps) = ([16], 5e-3, 40 * 200)
      learner = try A2C(c, in: environments)
    } else {
      var c = REINFORCEConfiguration()
      (c.hiddenWidths, c.learningRate, c.totalSteps) = ([16], 1e-2, 8 * 400)
      (c.usesBaseline, c.maximumEpisodeSteps) = (name == "reinforce_baseline", 4)
      learner = try REINFORCE(c, in: environments)
    }
    try learner.train()
    #expect(learner.step >= learner.totalSteps)
    #expect(try learner.agent.evaluate(VectorEnvironment(count: 64) { Sign() }, seed: 5).meanReturn == 1)
  }

  /// CartPole in a tenth of the steps that solve it: far from what a random policy (22) or a wrong sign (9) gives.
  @Test func ppoLearnsToBalance() throws {
    var c = Presets.zoo(for: "CartPole-v1")
    c.totalSteps = 20_480
    let learner = try PPO(c, in: "CartPole-v1")
    var metrics: [UpdateMetrics] = []
    try learner.train { metrics.append($0) }
    #expect(metrics.count == 80 && metrics.last!.step == 20_480)
    #expect(metrics.last!.episodicReturn! > 60)
    #expect(metrics.first!.learningRate == Double(c.learningRate))
    #expect(abs(metrics.last!.learningRate / Double(c.learningRate) - 1.0 / 80) < 1e-6)
    #expect(abs(metrics[40].clipRange! - 0.1) < 1e-6)
    #expect(metrics.allSatisfy { $0.entropy > 0 && $0.entropy <= 0.6932 && $0.approximateKL > -1e-6 })
    #expect(metrics.allSatisfy { (0...1).contains($0.clipFraction) && $0.epochs == 20 })
    // The clip holds the policy.
    #expect(metrics.map(\.approximateKL).max()! < 0.2)
    #expect(metrics.contains { $0.clipFraction > 0.02 })
    let (ratios, advantages) = learner.probabilityRatios()
    #expect(ratios.count == 256 && advantages.count == 256)
    #expect(ratios.allSatisfy { $0 > 0.1 && $0 < 10 })
    #expect(ratios.contains { $0 != 1 })
  }

  /// With γ = ½, what goes on for ever after the first step is worth 2, and the first step 4 + ½·2 = 5. A limit of 5
  /// steps changes nothing: what is cut off is bootstrapped from where it stopped, not from where the next episode begins
  /// (5, not 2) and not from nothing. An end after 2 steps does: 1, and 4 + ½·1.
  @Test(arguments: [nil, 2]) func endsAndLimits(_ steps: Int?) throws {
    let c = Self.ppo {
      ($0.discount, $0.lambda, $0.totalSteps, $0.learningRate) = (0.5, 0.5, 256 * 80, 1e-2)
      $0.annealsLearningRate = true
    }
    let learner = try PPO(c, in: VectorEnvironment(count: 8, timeLimit: 5) { Bonus(steps: steps) })
    try learner.train()
    let values = learner.agent.network.values([[0], [1]]).array(of: Float.self)
    let expected: [Float] = steps == nil ? [2, 5] : [1, 4.5]
    for (value, wanted) in zip(values, expected) { #expect(abs(value - wanted) < 0.05, "\(values), not \(expected)") }
  }

  @Test func klStop() throws {
    let learner = try PPO(
      Self.ppo { ($0.targetKL, $0.epochs, $0.learningRate) = (1e-4, 50, 1e-2) },
      in: VectorEnvironment(count: 8) { Sign() })
    _ = try learner.update()
    let metrics = try learner.update()
    #expect(metrics.epochs < 10)
    #expect(metrics.approximateKL > 0)
  }

  @Test func sameSeedSameBitsForAnyThreadCount() throws {
    func run(_ threads: Int, seed: UInt64) throws -> ([UpdateMetrics], [String: [UInt32]]) {
      var c = Presets.zoo(for: "CartPole-v1")
      (c.totalSteps, c.epochs, c.seed, c.minibatchSize) = (1024, 3, seed, 200)
      let learner = try PPO(c, in: "CartPole-v1")
      var metrics: [UpdateMetrics] = []
      try Threads.with(threads) { try learner.train { metrics.append($0.withoutTimes) } }
      return (metrics, bits(learner.session.tensors))
    }
    let first = try run(1, seed: 3)
    #expect(try first == run(2, seed: 3))
    #expect(try first == run(3, seed: 3))
    #expect(try first.1 != run(1, seed: 4).1)
  }

  @Test(arguments: ["ppo", "a2c", "reinforce"]) func resumesBitForBit(_ algorithm: String) throws {
    func make() throws -> any Learner {
      switch algorithm {
      case "ppo":
        try PPO(
          Self.ppo {
            $0.normalizesObservations = true
            $0.normalizesRewards = true
            $0.totalSteps = 256 * 6
          }, in: VectorEnvironment(count: 8) { Target() })
      case "a2c":
        try A2C(
          {
            var c = A2CConfiguration()
            (c.totalSteps, c.hiddenWidths) = (240, [16])
            return c
          }(), in: "CartPole-v1")
      default:
        try REINFORCE(
          {
            var c = REINFORCEConfiguration()
            (c.totalSteps, c.hiddenWidths) = (1000, [16])
            return c
          }(), in: "CartPole-v1")
      }
    }
    let whole = try make()
    var wholeMetrics: [UpdateMetrics] = []
    try whole.train { wholeMetrics.append($0.withoutTimes) }

    let first = try make()
    var metrics: [UpdateMetrics] = []
    try first.train(onUpdate: { metrics.append($0.withoutTimes) }, shouldStop: { metrics.count == 2 })
    let saved = try JSONEncoder().encode(first.session.state())
    let tensors = first.session.tensors.mapValues { Tensor($0.array(of: Float.self), $0.shape) }
    let second = try make()
    try second.session.restore(JSONDecoder().decode(LearningSession.State.self, from: saved), tensors: tensors)
    #expect(second.step == first.step)
    try second.train { metrics.append($0.withoutTimes) }
    #expect(metrics == wholeMetrics)
    #expect(bits(second.session.tensors) == bits(whole.session.tensors))
  }

  @Test func statesThatDoNotFitAreRefused() throws {
    let learner = try PPO(Self.ppo(), in: VectorEnvironment(count: 8) { Sign() })
    let state = try learner.session.state()
    let other = try PPO(Self.ppo { $0.hiddenWidths = [8] }, in: VectorEnvironment(count: 8) { Sign() })
    #expect(throws: LearningError.self) { try other.session.restore(state, tensors: learner.session.tensors) }
    let a2c = try A2C(A2CConfiguration(), in: "CartPole-v1")
    #expect(throws: LearningError.self) { try a2c.session.restore(state, tensors: learner.session.tensors) }
    let normalizing = try PPO(Self.ppo { $0.normalizesObservations = true }, in: VectorEnvironment(count: 8) { Sign() })
    #expect(throws: LearningError.self) { try normalizing.session.restore(state, tensors: learner.session.tensors) }
  }

  @Test func badSettings() {
    let bad: [(inout PPOConfiguration) -> Void] = [
      { $0.environmentCount = 0 }, { $0.minibatchSize = 257 }, { $0.learningRate = .nan }, { $0.discount = 1.5 },
      { $0.lambda = -1 }, { $0.clipRange = 0 }, { $0.clipRange = 1e-17 }, { $0.epochs = 0 }, { $0.hiddenWidths = [0] },
      { $0.seed = .max }, { $0.totalSteps = 0 }, { $0.targetKL = -1 }, { $0.adamEpsilon = 0 },
    ]
    for change in bad { #expect(throws: ConfigurationError.self) { try Self.ppo(change).validate() } }
    #expect(throws: ConfigurationError.self) { try PPO(Self.ppo(), in: VectorEnvironment("CartPole-v1", count: 4)) }
    #expect(
      throws: ConfigurationError(
        problem: "unknown algorithm 'pop': did you mean 'ppo'? (there are ppo, a2c, reinforce)")
    ) { try Algorithm(named: "pop", for: "CartPole-v1") }
  }

  @Test func agentIsSaved() throws {
    let c = Self.ppo {
      $0.normalizesObservations = true
      $0.totalSteps = 512
    }
    let learner = try PPO(c, in: VectorEnvironment(count: 8) { Target() })
    try learner.train()
    let folder = FileManager.default.temporaryDirectory.path + "/nabla-agent-\(UInt64.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try learner.agent.save(to: folder)
    let loaded = try Agent(contentsOf: folder)
    #expect(loaded.observationStatistics == learner.agent.observationStatistics)
    #expect(loaded.architecture == learner.agent.architecture)
    let environments = VectorEnvironment(count: 4) { Target() }
    #expect(
      try loaded.evaluate(environments, seed: 1).returns == learner.agent.evaluate(environments, seed: 1).returns)
    #expect(throws: (any Error).self) { try Agent(contentsOf: folder + "/nothing") }
  }

  /// Episodes that are cut off have a return too: 4, and 1 for each of the other steps.
  @Test func cutEpisodesAreCounted() throws {
    var c = REINFORCEConfiguration()
    (c.environmentCount, c.maximumEpisodeSteps, c.hiddenWidths) = (3, 5, [4])
    let metrics = try REINFORCE(c, in: VectorEnvironment(count: 3) { Bonus() }).update()
    #expect(metrics.step == 15 && metrics.episodes == 3)
    #expect(metrics.episodicReturn == 8 && metrics.episodicLength == 5)
  }

  /// A run without bounds is saved and goes on; but not by a program that does not have its environment.
  @Test func unboundedRunsAreSaved() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/run"
      func trainer() throws -> PolicyTrainer {
        try PolicyTrainer(Self.ppo { $0.totalSteps = 512 }, in: VectorEnvironment(count: 8) { Unbounded() })
      }
      // Each has the folder to itself.
      do {
        let run = try TrainingRun(trainer(), at: path)
        #expect(try run.train() == .finished)
      }
      do {
        let resumed = try TrainingRun<PolicyTrainer>(resuming: path) { _, _ in try trainer() }
        #expect(resumed.trainer.learner.step == 512)
      }
      let error = LearningError.ownEnvironment(run: path, name: "Unbounded")
      #expect(throws: error) { try PolicyTrainer.resume(path) }
      #expect(throws: error) { try PolicyTrainer.agent(of: path) }
      let page = String(decoding: try MappedFile(path: path + "/report.html").withBytes { Data($0) }, as: UTF8.self)
      #expect(page.contains("nabla report") && !page.contains("nabla rl evaluate") && !page.contains("nabla rl train"))
    }
  }

  /// A member that diverges does not keep the others of a study from their report.
  @Test func studiesOutliveADivergedMember() throws {
    try withTemporaryFolder { folder in
      let wild = Self.ppo { $0.learningRate = 1e30 }
      var calm = A2CConfiguration()
      (calm.totalSteps, calm.hiddenWidths) = (800, [16])
      let settings: [any LearnerConfiguration] = [wild, calm]
      let study = try PolicyStudy(
        settings.map { PolicySetup(environment: "CartPole-v1", settings: $0) }, seeds: [1], output: folder + "/study")
      var warnings: [String] = []
      let isFinished = try study.train(observe: { _, _, event in
        if case .warning(let text) = event { warnings.append(text) }
      })
      #expect(!isFinished && warnings.count == 1)
      #expect(warnings.first?.contains("ppo-seed-1") == true, "\(warnings)")
      #expect(try study.results().map(\.algorithm) == ["a2c"])
      #expect(pathExists(folder + "/study/report.html"))
    }
  }

  private func bits(_ tensors: [String: Tensor]) -> [String: [UInt32]] {
    tensors.mapValues { $0.array(of: Float.self).map(\.bitPattern) }
  }
}

extension UpdateMetrics {
  /// What must not depend on the clock.
  fileprivate var withoutTimes: UpdateMetrics {
    var copy = self
    copy.stepsPerSecond = 0
    return copy
  }
}
