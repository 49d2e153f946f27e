import FoundationEssentials

/// Text as HTML text or as an attribute in quotes. Control characters, which HTML does not allow, show as their Unicode
/// symbols.
package func escapedHTML(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\n", "\t": result.unicodeScalars.append(scalar)
    case "\u{0}"..<"\u{20}": result.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value)!)
    case "\u{7F}"..<"\u{A0}": result += "\u{FFFD}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// A value as JSON in a script element that `nabla.data(id)` reads. No character in it can end the element: inside JSON
/// `<`, `>` and `&` occur only in strings, where an escape means the same.
package func jsonIsland(id: String, class name: String = "island", _ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  var bytes: [UInt8] = []
  for byte in try encoder.encode(value) {
    switch byte {
    case UInt8(ascii: "<"): bytes += Array("\\u003c".utf8)
    case UInt8(ascii: ">"): bytes += Array("\\u003e".utf8)
    case UInt8(ascii: "&"): bytes += Array("\\u0026".utf8)
    default: bytes.append(byte)
    }
  }
  let text = String(decoding: bytes, as: UTF8.self)
  return #"<script type="application/json" class="\#(name)" id="\#(id)">\#(text)</script>"#
}

/// A token for display: with visible whitespace and control characters.
package func visibleToken(_ token: String) -> String {
  var result = ""
  for scalar in token.unicodeScalars {
    switch scalar {
    case " ": result += "·"
    case "\n": result += "↵"
    case "\t": result += "→"
    case "\u{0}"..<"\u{20}": result.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value)!)
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result.isEmpty ? "∅" : result
}
