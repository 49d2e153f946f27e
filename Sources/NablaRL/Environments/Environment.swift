/// An environment in which an agent acts. Write your own as a struct: NablaRL steps many copies of it in parallel.
///
/// ```swift
/// /// Walk to the right end of a corridor.
/// struct Corridor: Environment {
///   var place = 0
///   var observationSpace: ObservationSpace { ObservationSpace(["place"], low: [0], high: [10]) }
///   var actionSpace: ActionSpace { .discrete(2) }
///
///   mutating func reset(seed: UInt64) -> [Float] {
///     var random = RandomSource(seed: seed)
///     place = Int.random(in: 0...5, using: &random)
///     return [Float(place)]
///   }
///
///   mutating func step(_ action: Int) -> EnvironmentStep {
///     place = max(0, place + (action == 1 ? 1 : -1))
///     return EnvironmentStep([Float(place)], reward: -1, terminated: place == 10)
///   }
/// }
///
/// let environments = VectorEnvironment(count: 8, timeLimit: 100) { Corridor() }
/// ```
///
/// It is `Codable` so that an interrupted run resumes with the same bits: the compiler synthesizes that for a
/// struct of numbers, arrays and `RandomSource`s.
public protocol Environment: Codable, Sendable {
  /// `Int` for a discrete action space, `[Float]` for a continuous one.
  associatedtype Action: EnvironmentAction

  var observationSpace: ObservationSpace { get }
  var actionSpace: ActionSpace { get }

  /// Starts an episode and returns the first observation: O numbers. All randomness in the episode comes from
  /// the seed: the same seed and actions give the same episode.
  mutating func reset(seed: UInt64) -> [Float]

  /// Acts once. Discrete actions are within the space; continuous ones may lie outside and must be clipped by the
  /// environment.
  mutating func step(_ action: Action) -> EnvironmentStep
}

/// The result of one action.
public struct EnvironmentStep: Sendable {
  /// The next observation, O numbers, also at the end of an episode.
  public var observation: [Float]
  public var reward: Float
  /// The episode reached a terminal state (the pole fell, the goal was reached): nothing follows, its value is 0.
  public var terminated: Bool
  /// The episode was cut off, for example by a time limit: it might have continued, so the value of its last
  /// observation counts (Pardo et al. 2018, "Time limits in reinforcement learning").
  public var truncated: Bool

  public init(_ observation: [Float], reward: Float, terminated: Bool = false, truncated: Bool = false) {
    self.observation = observation
    self.reward = reward
    self.terminated = terminated
    self.truncated = truncated
  }
}

/// An action type of ``Environment/step(_:)``: `Int` or `[Float]`.
public protocol EnvironmentAction {
  /// The action of one of many environments.
  static func of(_ index: Int, in actions: ActionBatch) -> Self
}

/// The actions of N environments.
public struct ActionBatch: @unchecked Sendable {
  /// [N], for discrete actions.
  package let discrete: UnsafeMutablePointer<Int32>
  /// [N, A], for continuous ones.
  package let continuous: UnsafeMutablePointer<Float>
  /// A.
  package let width: Int
}

extension Int: EnvironmentAction {
  public static func of(_ index: Int, in actions: ActionBatch) -> Int { Int(actions.discrete[index]) }
}

extension [Float]: EnvironmentAction {
  public static func of(_ index: Int, in actions: ActionBatch) -> [Float] {
    let start = actions.continuous + index * actions.width
    return Array(UnsafeBufferPointer(start: start, count: actions.width))
  }
}
