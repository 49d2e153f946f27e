/// An error in an environment or its input.
public enum EnvironmentError: Error, Sendable, Equatable, CustomStringConvertible {
  case unknown(name: String, nearest: String, known: [String])
  /// A non-finite reward or observation.
  case notFinite(name: String, what: String, value: Float, step: Int, seed: UInt64, action: String)
  /// A saved state of another environment.
  case otherEnvironment(name: String, saved: String)
  /// A saved state with a different number of environments.
  case otherCount(name: String, saved: Int, count: Int)
  case badState(name: String, problem: String)

  public var description: String {
    switch self {
    case .unknown(let name, let nearest, let known):
      "unknown environment '\(name)': did you mean '\(nearest)'? (there are \(known.joined(separator: ", ")))"
    case .notFinite(let name, let what, let value, let step, let seed, let action):
      "\(name): \(what) is \(value) \(step == 0 ? "at reset" : "at step \(step)\(action)") of the episode with seed "
        + "\(seed); reset(seed: \(seed)) and the same actions reproduce it"
    case .otherEnvironment(let name, let saved):
      "the saved state is of the environment \(saved), but this is \(name)"
    case .otherCount(let name, let saved, let count):
      "\(name): the saved state is of \(saved) environments, but there are \(count)"
    case .badState(let name, let problem): "\(name): the saved state cannot be used: \(problem)"
    }
  }
}
