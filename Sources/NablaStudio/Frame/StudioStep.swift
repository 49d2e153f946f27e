/// One step of the page: a title, and the computations that its laboratory asks for by name. Its text, formulas and
/// controls are in `Page/steps/NAME/`.
public struct StudioStep: Sendable {
  /// A word for addresses and for the folder of the page: "attention".
  public let name: String
  public let title: String
  public let computations: [Computation]

  public init(_ name: String, title: String, computations: [Computation] = []) {
    (self.name, self.title, self.computations) = (name, title, computations)
  }

  /// All steps, in the order of the page. A ninth is a line here, a folder in `Steps` and a folder in `Page/steps`.
  public static let all: [StudioStep] = [
    .attention, .transformer, .diffusion, .rlhf, .lora, .scaling, .map, .summary,
  ]

  func computation(_ name: String) -> Computation? { computations.first { $0.name == name } }
}

/// Something that a step computes, and the Swift file that does.
public struct Computation: Sendable {
  public let name: String
  /// From the root of the repository: what the page shows under the result.
  public let file: String
  let work: Work
  /// The queries whose answers an exported page holds; see ``recorded(_:)``.
  var recordings: [[String: String]] = [[:]]

  enum Work: Sendable {
    case answer(@Sendable (StudioQuery, Studio) throws -> any Encodable)
    case job(@Sendable (StudioQuery, Studio, StudioJob) throws -> Void)
  }

  /// A function of the query: the same query gives the same answer.
  public static func answer(
    _ name: String, file: String = #filePath,
    _ compute: @escaping @Sendable (StudioQuery, Studio) throws -> any Encodable
  ) -> Computation {
    Computation(name: name, file: shortened(file), work: .answer(compute))
  }

  /// Work that shows what it does while it does it, until it is done or the page goes away.
  public static func job(
    _ name: String, file: String = #filePath,
    _ run: @escaping @Sendable (StudioQuery, Studio, StudioJob) throws -> Void
  ) -> Computation {
    Computation(name: name, file: shortened(file), work: .job(run))
  }

  /// The same computation, of which an exported page has the answers to these queries. Controls snap to the nearest of
  /// them; a field that is not there has its default.
  public func recorded(_ queries: [[String: String]]) -> Computation {
    var copy = self
    copy.recordings = queries
    return copy
  }

  /// All combinations of these values: what ``recorded(_:)`` takes.
  public func recorded(combining fields: [String: [String]]) -> Computation {
    recorded(
      fields.reduce([[:]]) { queries, field in
        queries.flatMap { query in field.value.map { query.merging([field.key: $0]) { $1 } } }
      })
  }

  private static func shortened(_ path: String) -> String {
    guard let range = path.range(of: "Sources/", options: .backwards) else { return path }
    return String(path[range.lowerBound...])
  }
}
