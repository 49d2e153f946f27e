import Glibc
import NablaFormats
import NablaLanguage

/// Attention of the kinds that models learn: to the previous token, to the first one, to all alike, to near ones.
func exampleAnalysis(text: String, layers: Int = 3, heads: Int = 4, positions: Analysis.Positions? = nil) -> Analysis {
  var tokens: [String] = []
  for character in text {
    if character == " " || tokens.isEmpty || tokens[tokens.count - 1].count > 4 { tokens.append("") }
    tokens[tokens.count - 1].append(character)
  }
  let count = tokens.count
  let attention = (0..<layers).map { layer in
    (0..<heads).map { head in
      (0..<count).flatMap { query -> [Float] in
        let scores = (0...query).map { key -> Double in
          let distance = Double(query - key)
          switch (layer + head) % 4 {
          case 0: return distance == 1 ? 4 : 0
          case 1: return key == 0 ? 3.5 : -0.1 * distance
          case 2: return 0
          default: return -distance / Double(2 + layer) + 2 * cos(distance)
          }
        }
        let weights = scores.map { exp($0) }
        let sum = weights.reduce(0, +)
        return weights.map { Float($0 / sum) } + [Float](repeating: 0, count: count - query - 1)
      }
    }
  }
  return Analysis(text: text, tokens: tokens, attention: attention, positions: positions)
}

/// The sines and cosines of Vaswani et al. (2017), section 3.5.
func sinusoids(positions: Int, width: Int) -> [[Float]] {
  (0..<positions).map { position in
    (0..<width).map { dimension in
      let angle = Double(position) / pow(10_000, Double(dimension / 2 * 2) / Double(width))
      return Float(dimension % 2 == 0 ? sin(angle) : cos(angle))
    }
  }
}

/// The JSON in the script element with this id.
func island(_ id: String, in page: String) throws -> JSONValue? {
  let start = #"id="\#(id)">"#
  guard let from = page.firstRange(of: start)?.upperBound,
    let to = page[from...].firstRange(of: "</script>")?.lowerBound
  else { return nil }
  return try JSONValue(parsing: String(page[from..<to]))
}

extension String {
  func firstRange(of other: String) -> Range<Index>? { self[...].firstRange(of: other) }
}

extension Substring {
  /// By bytes: `Collection.firstRange` of Strings compares by Unicode equivalence, and slowly.
  func firstRange(of other: String) -> Range<Index>? {
    let (bytes, wanted) = (Array(utf8), Array(other.utf8))
    guard wanted.count <= bytes.count else { return nil }
    for start in 0...(bytes.count - wanted.count) where bytes[start] == wanted[0] {
      if bytes[start..<start + wanted.count].elementsEqual(wanted) {
        let from = utf8.index(startIndex, offsetBy: start)
        return from..<utf8.index(from, offsetBy: wanted.count)
      }
    }
    return nil
  }
}
