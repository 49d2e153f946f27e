/// What is wrong with an environment or with what it was given.
public enum EnvironmentError: Error, Sendable, Equatable, CustomStringConvertible {
  case unknown(name: String, nearest: String, known: [String])
  /// A reward or an observation that is not a number, or infinite.
  case notFinite(name: String, what: String, value: Float, step: Int, seed: UInt64, action: String)
  /// A saved state of another environment.
  case otherEnvironment(name: String, saved: String)
  /// A saved state of another number of environments.
  case otherCount(name: String, saved: Int, count: Int)
  case badState(name: String, problem: String)

  public var description: String {
    switch self {
    case .unknown(let name, let nearest, let known):
      "unknown environment '\(name)': did you mean '\(nearest)'? (there are \(known.joined(separator: ", ")))"
    case .notFinite(let name, let what, let value, let step, let seed, let action):
      "\(name): \(what) is \(value) \(step == 0 ? "at reset" : "at step \(step)\(action)") of the episode with seed "
        + "\(seed); reset(seed: \(seed)) and the same actions show it again"
    case .otherEnvironment(let name, let saved):
      "the saved state is of the environment \(saved), and this is \(name)"
    case .otherCount(let name, let saved, let count):
      "\(name): the saved state is of \(saved) environments, and these are \(count)"
    case .badState(let name, let problem): "\(name): the saved state cannot be used: \(problem)"
    }
  }
}
