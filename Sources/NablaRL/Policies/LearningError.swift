/// Why a saved run cannot be used.
public enum LearningError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A saved state that does not fit.
  case badState(String)

  public var description: String {
    switch self {
    case .badState(let problem): "the saved state cannot be used: \(problem)"
    }
  }
}
