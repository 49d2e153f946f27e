import FoundationEssentials

/// A formula in TeX with a sentence that says what it means. KaTeX draws it; without KaTeX the TeX itself shows.
///
/// Parts separated by `\qquad` are side by side where there is room, and stacked on a phone.
public struct Equation: Sendable, Equatable {
  /// TeX that KaTeX supports, in display style.
  public var tex: String
  /// Plain text below it.
  public var caption: String

  public init(_ tex: String, _ caption: String = "") { (self.tex, self.caption) = (tex, caption) }

  var html: String {
    let caption = caption.isEmpty ? "" : "<figcaption>\(escapedHTML(caption))</figcaption>"
    let parts = tex.components(separatedBy: #"\qquad"#).map { part in
      let text = part.drop { $0 == " " }
      return "<div class=\"tex\">\(escapedHTML(String(text.last == " " ? text.dropLast() : text)))</div>"
    }
    return "<figure class=\"equation\"><div class=\"formula\">\(parts.joined())</div>\(caption)</figure>"
  }
}

extension [Equation] {
  var html: String { isEmpty ? "" : "<div class=\"equations\">\(map(\.html).joined(separator: "\n"))</div>" }
}
