import NablaTensor
import NablaTraining

extension PolicyAnalysis {
  /// Analyzes a trained agent: its maps and one greedy episode.
  init(of agent: Agent, in description: EnvironmentDescription, ratios: Ratios?) throws {
    self.init(map: Map(agent, description), replay: try Replay(agent, description), ratios: ratios)
  }
}

extension PPO {
  /// The ratios after the last update.
  func lastRatios(clipRange: Double) -> PolicyAnalysis.Ratios {
    let (ratios, advantages) = probabilityRatios()
    return PolicyAnalysis.Ratios(clipRange: clipRange, ratios: ratios, advantages: advantages)
  }
}

extension PolicyAnalysis.Map {
  init(_ agent: Agent, _ description: EnvironmentDescription) {
    let slice = description.slice
    let (columns, rows) = slice.cells ?? (64, 64)
    func place(_ axis: StateSlice.Axis, _ i: Int, of count: Int) -> Double {
      let (low, high) = (axis.range.lowerBound, axis.range.upperBound)
      return low + (Double(i) + 0.5) / Double(count) * (high - low)
    }
    let observations = (0..<rows).flatMap { row in
      (0..<columns).flatMap { column in
        slice.observation(place(slice.x, column, of: columns), place(slice.y, row, of: rows))
      }
    }
    let seen = agent.seen(observations)
    let parameters = agent.network.actionParameters(seen).array(of: Float.self)
    let (width, cells) = (description.actionSpace.count, rows * columns)
    let isDiscrete = description.actionSpace.isDiscrete
    let policy = (0..<(isDiscrete ? width : 1)).map { action in
      (0..<cells).map { rounded(parameters[$0 * width + action]) }
    }
    var bounds: [Float]?
    if case .continuous(let low, let high) = description.actionSpace { bounds = [low[0], high[0]] }
    self.init(
      x: Axis(name: slice.x.name, low: slice.x.range.lowerBound, high: slice.x.range.upperBound, count: columns),
      y: Axis(name: slice.y.name, low: slice.y.range.lowerBound, high: slice.y.range.upperBound, count: rows),
      remark: slice.remark, values: agent.network.values(seen).array(of: Float.self).map(rounded),
      actions: description.actionNames, policy: policy, bounds: bounds)
  }
}

extension PolicyAnalysis.Replay {
  /// Plays one episode; nil where an episode is a single step.
  init?(_ agent: Agent, _ description: EnvironmentDescription) throws {
    guard let secondsPerStep = description.secondsPerStep else { return nil }
    let environment = description.make(count: 1)
    let (width, isDiscrete) = (environment.actionSpace.count, environment.actionSpace.isDiscrete)
    var random = RandomSource(seed: 1)
    try environment.reset(seed: 1)
    var observations = [environment.observations.map(rounded)]
    var (actions, rewards): ([[Float]], [Float]) = ([], [])
    repeat {
      try agent.act(in: environment, random: &random, greedily: true)
      let given = environment.batch.actions
      actions.append(
        isDiscrete ? [Float(given.discrete[0])] : (0..<width).map { rounded(given.continuous[$0]) })
      rewards.append(rounded(environment.rewards[0]))
      let isOver = !environment.finished.isEmpty
      observations.append((isOver ? environment.finalObservations : environment.observations).map(rounded))
    } while environment.finished.isEmpty
    self.init(
      environment: description.name, observations: observations, actions: actions, rewards: rewards,
      terminated: environment.finished[0].terminated, secondsPerStep: secondsPerStep)
  }
}

/// Enough digits for drawing.
private func rounded(_ value: Float) -> Float { (value * 1e4).rounded() / 1e4 }
