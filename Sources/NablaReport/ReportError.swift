/// Why a report could not be made.
public struct ReportError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    /// None of these files, which the package installs, exists.
    case noAsset(name: String, package: String, searched: [String])
    /// `file` is an inconsistent analysis.
    case badAnalysis(file: String, place: String, problem: String)
  }

  public var kind: Kind

  public init(kind: Kind) { self.kind = kind }

  public var description: String {
    switch kind {
    case .noAsset(let name, let package, let searched):
      "the report needs \(name): install the package \(package) (looked for \(searched.joined(separator: ", ")))"
    case .badAnalysis(let file, let place, let problem):
      "\(file): \(place): \(problem); remove the file to get the report without it"
    }
  }
}
