/// The observations of an environment: O numbers, each with its range.
public struct ObservationSpace: Sendable, Hashable, Codable {
  /// The name of each number, for reports and messages.
  public let names: [String]
  /// The minimum and maximum of each number; ±infinity if there is none.
  public let low: [Float]
  public let high: [Float]
  /// O.
  public var count: Int { low.count }

  /// - Parameters:
  ///   - names: One for each number; empty for "0", "1", …
  ///   - low: The smallest value of each number.
  ///   - high: The largest, of as many.
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

/// The actions of an environment.
public enum ActionSpace: Sendable, Hashable, Codable {
  /// One of this many actions, counted from 0.
  case discrete(Int)
  /// A numbers, each with its minimum and maximum. Environments clip values outside.
  case continuous(low: [Float], high: [Float])

  /// The number of a policy's outputs: a logit for each discrete action, or A means.
  public var count: Int {
    switch self {
    case .discrete(let count): count
    case .continuous(let low, _): low.count
    }
  }

  public var isDiscrete: Bool { if case .discrete = self { true } else { false } }
}
