/// Why a chat template could not be parsed or rendered, and on which line.
public struct ChatTemplateError: Error, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// The text is not a template.
    case syntax
    /// The template uses something this engine does not support.
    case unsupported
    /// An invalid operation, such as text plus a list.
    case evaluation
    /// The template itself rejected the conversation (`raise_exception`).
    case refused
    /// The template did more work, or nested deeper, than any legitimate one.
    case limit
  }

  public var kind: Kind
  /// Counted from 1; nil when the problem is not on one line.
  public var line: Int?
  public var problem: String

  package init(kind: Kind, line: Int? = nil, problem: String) {
    (self.kind, self.line, self.problem) = (kind, line, problem)
  }

  public var description: String {
    let place = line.map { "chat template, line \($0)" } ?? "chat template"
    switch kind {
    case .refused: return "the chat template rejects this conversation: \(problem)"
    case .unsupported: return "\(place): \(problem) is not supported"
    default: return "\(place): \(problem)"
    }
  }
}
