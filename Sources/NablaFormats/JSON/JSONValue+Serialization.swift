extension JSONValue {
  /// How a value is laid out as text.
  public enum Layout: Sendable {
    /// One line without spaces.
    case compact
    /// One member or element per line, indented by two spaces.
    case indented
  }

  /// The JSON text of this value; members keep their order, so equal values give equal text.
  ///
  /// A non-finite number has no JSON representation and becomes `null`. Doubles have the shortest form that reads
  /// back to the same value.
  public func serialized(_ layout: Layout = .compact) -> String {
    var text = ""
    write(to: &text, layout, indentation: 0)
    return text
  }

  private func write(to text: inout String, _ layout: Layout, indentation: Int) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? String(value) : "null"
    case .string(let value): Self.writeQuoted(value, to: &text)
    case .array(let elements):
      Self.writeList("[", elements, "]", to: &text, layout, indentation) { element, text in
        element.write(to: &text, layout, indentation: indentation + 1)
      }
    case .object(let object):
      Self.writeList("{", object.members, "}", to: &text, layout, indentation) { member, text in
        Self.writeQuoted(member.key, to: &text)
        text += layout == .compact ? ":" : ": "
        member.value.write(to: &text, layout, indentation: indentation + 1)
      }
    }
  }

  private static func writeList<Element>(
    _ open: String, _ elements: [Element], _ close: String, to text: inout String, _ layout: Layout,
    _ indentation: Int, _ writeElement: (Element, inout String) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if layout == .indented { text += "\n" + String(repeating: "  ", count: indentation + 1) }
      writeElement(element, &text)
    }
    if layout == .indented, !elements.isEmpty { text += "\n" + String(repeating: "  ", count: indentation) }
    text += close
  }

  private static func writeQuoted(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
