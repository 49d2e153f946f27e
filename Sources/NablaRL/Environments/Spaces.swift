/// What an environment shows: O numbers, each with the range it may lie in.
public struct ObservationSpace: Sendable, Hashable, Codable {
  /// What each number is, for reports and messages.
  public let names: [String]
  /// The least and the greatest value of each number; ±infinity where there is none.
  public let low: [Float]
  public let high: [Float]
  /// O.
  public var count: Int { low.count }

  /// - Parameter names: One for each number; empty for "0", "1", …
  public init(_ names: [String] = [], low: [Float], high: [Float]) {
    precondition(
      low.count == high.count && (names.isEmpty || names.count == low.count),
      "ObservationSpace: \(names.count) names, \(low.count) lower and \(high.count) upper bounds")
    self.names = names.isEmpty ? low.indices.map { "\($0)" } : names
    self.low = low
    self.high = high
  }

  /// Numbers within ±bounds.
  public init(_ names: [String] = [], within bounds: [Float]) {
    self.init(names, low: bounds.map { -$0 }, high: bounds)
  }
}

/// What an environment takes.
public enum ActionSpace: Sendable, Hashable, Codable {
  /// One of so many actions, counted from 0.
  case discrete(Int)
  /// A numbers, each with its least and greatest value. Environments clip what lies outside.
  case continuous(low: [Float], high: [Float])

  /// Numbers a policy gives: a logit for each discrete action, or A means.
  public var count: Int {
    switch self {
    case .discrete(let count): count
    case .continuous(let low, _): low.count
    }
  }

  public var isDiscrete: Bool { if case .discrete = self { true } else { false } }
}
