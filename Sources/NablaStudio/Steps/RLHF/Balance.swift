import NablaRL
import NablaTraining

extension RLHFStep {
  /// One episode of CartPole.
  struct Episode: Encodable {
    /// Environment steps of training before it.
    var trained: Int
    /// Position (m), velocity (m/s), angle (radians), angular velocity (radians/s): four numbers a step, before each
    /// action, and once more after the last.
    var states: [Float] = []
    /// 0: left, 1: right.
    var actions: [Int] = []
    /// Steps that the pole stayed up.
    var length: Int { actions.count }

    enum CodingKeys: String, CodingKey { case trained, states, actions, length }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(trained, forKey: .trained)
      try container.encode(states, forKey: .states)
      try container.encode(actions, forKey: .actions)
      try container.encode(length, forKey: .length)
    }
  }

  /// Where an episode starts: known before anything is trained.
  struct Start: Encodable {
    var state: [Float]
    var stepLimit: Int
    var secondsPerStep: Double
  }

  static let start = Computation.answer("start") { query, _ in
    let environment = try environment(query)
    return Start(
      state: Array(environment.observations), stepLimit: environment.timeLimit ?? 0,
      secondsPerStep: try EnvironmentDescription.named(PolicyTraining.environment).secondsPerStep ?? 0)
  }

  /// The same start, played by each policy of a training, from the untrained one to the last; and its curve.
  struct Rivals: Encodable {
    var curve: [[Double]]
    var seconds: Double
    var episodes: [Episode]
  }

  static let rivals = Computation.answer("rivals") { query, _ in
    let seed = UInt64(try query.integer("ppo", in: 0...999, default: 1))
    let training = try PolicyTraining.kept.value(for: seed) {
      guard let training = try PolicyTraining.run(seed: seed) else { throw StudioError("the training was stopped") }
      return training
    }
    let episodes = try training.snapshots.map { snapshot in
      try episode(of: training.agent(snapshot), trained: snapshot.steps, in: environment(query))
    }
    return Rivals(curve: training.curve, seconds: training.seconds, episodes: episodes)
  }

  /// PPO learns while the page looks on.
  static let learn = Computation.job("learn") { query, _, job in
    let seed = UInt64(try query.integer("ppo", in: 0...999, default: 1))
    let training = try PolicyTraining.run(seed: seed, mayContinue: job.mayContinue) { point, metrics in
      job.append("curve", point)
      job.show("pace", Pace(clipped: metrics.clipFraction, entropy: metrics.entropy))
    }
    guard let training else { return }
    PolicyTraining.kept.keep(training, for: seed)
    job.show("seconds", training.seconds)
  }

  private struct Pace: Encodable { var clipped, entropy: Double }

  /// A cart and its pole at the start of the query's episode.
  private static func environment(_ query: StudioQuery) throws -> VectorEnvironment {
    let environment = try VectorEnvironment(PolicyTraining.environment, count: 1)
    try environment.reset(seed: UInt64(try query.integer("start", in: 1...999, default: 1)))
    return environment
  }

  /// Takes the likelier action until the pole falls or the episode is cut off.
  private static func episode(of agent: Agent, trained: Int, in environment: VectorEnvironment) throws -> Episode {
    var episode = Episode(trained: trained)
    while true {
      let observation = Array(environment.observations)
      episode.states += observation
      let probabilities = agent.network.actionParameters(agent.seen(observation)).array()
      let action = probabilities[1] > probabilities[0] ? 1 : 0
      episode.actions.append(action)
      try environment.step([Int32(action)])
      if environment.terminated[0] || environment.truncated[0] {
        episode.states += Array(environment.finalObservations)
        return episode
      }
    }
  }
}
