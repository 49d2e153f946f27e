/// A formula in TeX with a sentence that says what it means. KaTeX draws it; without KaTeX the TeX itself shows.
public struct Equation: Sendable, Equatable {
  /// What KaTeX understands, in display style.
  public var tex: String
  /// Plain text beneath it.
  public var caption: String

  public init(_ tex: String, _ caption: String = "") { (self.tex, self.caption) = (tex, caption) }

  var html: String {
    let caption = caption.isEmpty ? "" : "<figcaption>\(escapedHTML(caption))</figcaption>"
    return "<figure class=\"equation\"><div class=\"tex\">\(escapedHTML(tex))</div>\(caption)</figure>"
  }
}

extension [Equation] {
  var html: String { isEmpty ? "" : "<div class=\"equations\">\(map(\.html).joined(separator: "\n"))</div>" }
}
