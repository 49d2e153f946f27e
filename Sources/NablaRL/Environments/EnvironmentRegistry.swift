import NablaTraining

/// An environment that comes with Nabla.
public struct EnvironmentDescription: Sendable {
  public let name: String
  public let summary: String
  /// The mean return at which it counts as solved.
  public let solvedAt: Double?
  let dynamics: any Dynamics

  public var observationSpace: ObservationSpace { dynamics.observationSpace }
  public var actionSpace: ActionSpace { dynamics.actionSpace }
  /// Steps after which an episode is cut off.
  public var timeLimit: Int? { dynamics.timeLimit }

  public func make(count: Int) -> VectorEnvironment { VectorEnvironment(dynamics, count: count) }

  init(_ dynamics: any Dynamics, solvedAt: Double? = nil, _ summary: String) {
    (name, self.summary, self.solvedAt, self.dynamics) = (dynamics.name, summary, solvedAt, dynamics)
  }

  /// All of them.
  public static let all = [
    EnvironmentDescription(CartPole(), solvedAt: 475, "keep a pole upright on a cart; 1 a step, at most 500")
  ]

  /// - Throws: ``EnvironmentError/unknown(name:nearest:known:)``.
  public static func named(_ name: String) throws(EnvironmentError) -> EnvironmentDescription {
    guard let found = all.first(where: { $0.name == name }) else {
      let names = all.map(\.name)
      throw .unknown(name: name, nearest: nearestName(to: name, among: names), known: names)
    }
    return found
  }
}

extension VectorEnvironment {
  /// N of an environment that comes with Nabla.
  /// - Throws: ``EnvironmentError/unknown(name:nearest:known:)``.
  public convenience init(_ name: String, count: Int) throws(EnvironmentError) {
    let description = try EnvironmentDescription.named(name)
    self.init(description.dynamics, count: count)
  }
}
