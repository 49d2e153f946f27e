/// Why a saved run cannot be used.
public enum LearningError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A saved state that does not fit.
  case badState(String)
  /// A run in an environment that only the program that trained it has.
  case ownEnvironment(run: String, name: String)

  public var description: String {
    switch self {
    case .badState(let problem): "the saved state cannot be used: \(problem)"
    case .ownEnvironment(let run, let name):
      "\(run) was trained in the program's own environment \(name): continue or evaluate it from that program"
    }
  }
}
