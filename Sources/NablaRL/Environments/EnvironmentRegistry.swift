import NablaFormats
import NablaTraining

/// A built-in environment.
public struct EnvironmentDescription: Sendable {
  public let name: String
  public let summary: String
  /// The mean return at which it counts as solved: Gymnasium's `reward_threshold` where it has one; nil for none.
  public let solvedAt: Double?
  let dynamics: any PicturedDynamics

  public var observationSpace: ObservationSpace { dynamics.observationSpace }
  public var actionSpace: ActionSpace { dynamics.actionSpace }
  /// Steps after which an episode is cut off.
  public var timeLimit: Int? { dynamics.timeLimit }

  /// The names of discrete actions; for continuous actions the name of the first number.
  public var actionNames: [String] { dynamics.picture.actions }
  package var slice: StateSlice { dynamics.picture.slice }
  package var secondsPerStep: Double? { dynamics.picture.secondsPerStep }

  public func make(count: Int) -> VectorEnvironment { VectorEnvironment(dynamics, count: count) }

  init(_ dynamics: any PicturedDynamics, solvedAt: Double? = nil, _ summary: String) {
    (name, self.summary, self.solvedAt, self.dynamics) = (dynamics.name, summary, solvedAt, dynamics)
  }

  /// All of them.
  public static let all = [
    EnvironmentDescription(CartPole(), solvedAt: 475, "keep a pole upright on a cart; 1 per step, at most 500"),
    EnvironmentDescription(Acrobot(), solvedAt: -100, "swing two links above a line by the elbow; -1 per step"),
    EnvironmentDescription(MountainCar(), solvedAt: -110, "swing a weak car up a hill; -1 per step"),
    EnvironmentDescription(
      MountainCarContinuous(), solvedAt: 90, "the same with continuous force; 100 at the top, minus the cost of force"),
    EnvironmentDescription(Pendulum(), "swing a pendulum up and hold it with little torque; about -150 is good"),
    EnvironmentDescription(SimpleCartPole(), solvedAt: 195, "a cart-pole with four additions; 1 per step, at most 200"),
    EnvironmentDescription(GridWorld(), solvedAt: 0.65, "a slippery 4 × 3 grid with a goal and a pit"),
    EnvironmentDescription(
      ContextualBandit(), solvedAt: 0.65, "observe a point, pull one of four arms; 2/3 is optimal"),
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
  /// N copies of a built-in environment.
  /// - Throws: ``EnvironmentError/unknown(name:nearest:known:)``.
  public convenience init(_ name: String, count: Int) throws(EnvironmentError) {
    let description = try EnvironmentDescription.named(name)
    self.init(description.dynamics, count: count)
  }
}
