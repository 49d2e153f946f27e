import FoundationEssentials
import NablaFormats

/// KaTeX (MIT license), which typesets equations: its script and style, with the fonts a page needs, as text to put
/// into the page.
public struct KaTeX: Sendable {
  /// Defines `katex`.
  public var script: String
  /// With the fonts in it, as woff2.
  public var style: String

  /// KaTeX as installed on this machine.
  ///
  /// - Parameters:
  ///   - equations: The TeX on the page: fonts that it does not use are left out.
  ///   - folder: Where `katex.js`, `katex.min.css` and `fonts` are.
  /// - Throws: ``ReportError`` that names the package when it is not installed.
  public init(for equations: [String], in folder: String = KaTeX.folder) throws {
    try self.init(fonts: Self.fonts(for: equations), in: folder)
  }

  /// KaTeX with all its fonts, for a page whose equations come later.
  public init(in folder: String = KaTeX.folder) throws { try self.init(fonts: nil, in: folder) }

  public static let folder = "/usr/share/javascript/katex"

  private static let notice = "KaTeX, Copyright (c) 2013-2020 Khan Academy and other contributors, MIT license"

  private init(fonts: Set<String>?, in folder: String) throws {
    let text = { (paths: [String]) in
      try PageAsset.text(of: "KaTeX", package: "libjs-katex", paths.map { "\(folder)/\($0)" })
    }
    script = "/* \(Self.notice) */\n" + (try text(["katex.min.js", "katex.js"]))
    style = "/* \(Self.notice) */\n" + (try Self.inlined(text(["katex.min.css", "katex.css"]), fonts, in: folder))
  }

  /// The fonts that KaTeX uses for these equations.
  static func fonts(for equations: [String]) -> Set<String> {
    var fonts: Set = [
      "Main-Regular", "Math-Italic", "Size1-Regular", "Size2-Regular", "Size3-Regular", "Size4-Regular",
    ]
    let byCommand = [
      (["\\mathbb", "\\gtrsim", "\\lesssim", "\\square", "\\nexists"], "AMS-Regular"),
      (["\\mathcal"], "Caligraphic-Regular"), (["\\mathbf", "\\textbf"], "Main-Bold"),
      (["\\boldsymbol", "\\bm"], "Math-BoldItalic"), (["\\textit", "\\emph"], "Main-Italic"),
      (["\\texttt", "\\mathtt"], "Typewriter-Regular"), (["\\mathsf", "\\textsf"], "SansSerif-Regular"),
      (["\\mathfrak"], "Fraktur-Regular"), (["\\mathscr"], "Script-Regular"),
    ]
    for (commands, font) in byCommand where equations.contains(where: { tex in commands.contains { tex.contains($0) } })
    {
      fonts.insert(font)
    }
    return fonts
  }

  /// The style sheet with each font embedded in place of its URL; fonts that are not wanted or not installed are left
  /// out.
  private static func inlined(_ css: String, _ wanted: Set<String>?, in folder: String) throws -> String {
    let parts = css.components(separatedBy: "@font-face")
    return try parts[0]
      + parts.dropFirst().map { part -> String in
        guard let end = part.firstIndex(of: "}") else { return "" }
        let (rule, rest) = (part[...end], part[part.index(after: end)...])
        guard let name = fontName(in: rule), wanted?.contains(name) ?? true,
          case let file = "\(folder)/fonts/KaTeX_\(name).woff2", pathExists(file)
        else { return String(rest) }
        let data = try MappedFile(path: file).withBytes { Data($0).base64EncodedString() }
        let declarations = rule.dropLast().components(separatedBy: ";").map { declaration in
          declaration.contains("src:")
            ? declaration.components(separatedBy: "src:")[0]
              + "src:url(data:font/woff2;base64,\(data)) format(\"woff2\")"
            : declaration
        }
        return "@font-face\(declarations.joined(separator: ";"))}" + rest
      }.joined()
  }

  /// "Main-Regular" for a rule with the URL fonts/KaTeX_Main-Regular.woff2.
  private static func fontName(in rule: Substring) -> String? {
    let parts = rule.components(separatedBy: "fonts/KaTeX_")
    guard parts.count > 1 else { return nil }
    return parts[1].components(separatedBy: ".woff2")[0]
  }
}
