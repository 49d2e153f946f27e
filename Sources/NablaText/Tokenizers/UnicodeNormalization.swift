/// The four normalization forms of Unicode (UAX #15): canonically or compatibly decomposed, and composed again or not.
public enum NormalizationForm: String, Sendable, CaseIterable {
  case nfc, nfd, nfkc, nfkd

  fileprivate var composes: Bool { self == .nfc || self == .nfkc }
  fileprivate var isCompatible: Bool { self == .nfkc || self == .nfkd }

  /// Normalizes UTF-8, in time linear in the text up to the sorting of marks on one character.
  package func apply(to bytes: inout [UInt8]) {
    // Most text passes through without a lookup.
    let isStable = bytes.withUnsafeBufferPointer { text in
      if self != .nfc { return text.allSatisfy { $0 < 0x80 } }
      var position = 0
      while position < text.count {
        let (scalar, length) = decodeScalar(text, at: position)
        if !Self.isComposedAlways(scalar.value) { return false }
        position += length
      }
      return true
    }
    if isStable { return }
    var scalars = decomposed(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    Self.orderMarks(&scalars)
    if composes { Self.compose(&scalars) }
    bytes.removeAll(keepingCapacity: true)
    for scalar in scalars { bytes.append(contentsOf: UTF8.encode(scalar)!) }
  }

  /// Whether NFC never changes this character in any context. False for some that it does not change.
  package static func isComposedAlways(_ value: UInt32) -> Bool {
    switch value {
    case 0..<0x300, 0x400...0x482, 0x2002...0x20CF, 0x2100...0x2125, 0x3001...0x3029, 0x3041...0x3096, 0x30A1...0x30FA,
      0x3400...0x9FFF, 0xAC00...0xD7A3, 0xFE0F, 0xFF00...0xFFEF, 0x1F300...0x1FAFF:
      true
    default: false
    }
  }

  private func decomposed(_ text: String.UnicodeScalarView) -> [Unicode.Scalar] {
    let tables = UnicodeTables.shared
    var result: [Unicode.Scalar] = []
    for scalar in text {
      if let parts = isCompatible ? tables.compatible[scalar] : nil {
        result += parts
      } else if let parts = tables.canonical[scalar] {
        result += parts
      } else if let syllable = Hangul.parts(of: scalar) {
        result += syllable
      } else {
        result.append(scalar)
      }
    }
    return result
  }

  /// Sorts each run of marks by their classes, keeping the order of equals.
  private static func orderMarks(_ scalars: inout [Unicode.Scalar]) {
    var start = 0
    while start < scalars.count {
      var classes: [UInt8] = []
      while start + classes.count < scalars.count {
        let mark = scalars[start + classes.count].properties.canonicalCombiningClass.rawValue
        if mark == 0 { break }
        classes.append(mark)
      }
      if classes.count > 1 {
        let order = classes.indices.sorted { (classes[$0], $0) < (classes[$1], $1) }
        let sorted = order.map { scalars[start + $0] }
        scalars.replaceSubrange(start..<(start + classes.count), with: sorted)
      }
      start += classes.count + 1
    }
  }

  /// Joins each character with the base before it where they have a composition and no mark of the same or a higher
  /// class stands between.
  private static func compose(_ scalars: inout [Unicode.Scalar]) {
    let tables = UnicodeTables.shared
    var kept = 0
    var base: Int?
    var lastClass: UInt8 = 0
    for scalar in scalars {
      let mark = scalar.properties.canonicalCombiningClass.rawValue
      if let base, kept == base + 1 || (lastClass < mark && lastClass != 0),
        let joined = Hangul.joined(scalars[base], scalar) ?? tables.composition(scalars[base], scalar)
      {
        scalars[base] = joined
        continue
      }
      if mark == 0 { base = kept }
      lastClass = mark
      scalars[kept] = scalar
      kept += 1
    }
    scalars.removeLast(scalars.count - kept)
  }
}

/// The syllables of Korean, which are composed by arithmetic (The Unicode Standard, section 3.12).
private enum Hangul {
  private static let syllables: UInt32 = 0xAC00
  private static let leads: UInt32 = 0x1100
  private static let vowels: UInt32 = 0x1161
  private static let trails: UInt32 = 0x11A7
  private static let vowelCount: UInt32 = 21
  private static let trailCount: UInt32 = 28

  static func parts(of scalar: Unicode.Scalar) -> [Unicode.Scalar]? {
    guard (syllables...0xD7A3).contains(scalar.value) else { return nil }
    let index = scalar.value - syllables
    let trail = index % trailCount
    let pair = index / trailCount
    let codes = [leads + pair / vowelCount, vowels + pair % vowelCount] + (trail > 0 ? [trails + trail] : [])
    return codes.map { Unicode.Scalar($0)! }
  }

  static func joined(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    let (a, b) = (first.value, second.value)
    if (leads..<(leads + 19)).contains(a), (vowels..<(vowels + vowelCount)).contains(b) {
      return Unicode.Scalar(syllables + ((a - leads) * vowelCount + (b - vowels)) * trailCount)
    }
    if (syllables...0xD7A3).contains(a), (a - syllables) % trailCount == 0, b > trails, b < trails + trailCount {
      return Unicode.Scalar(a + (b - trails))
    }
    return nil
  }
}

/// ``UnicodeMappings`` as tables, built on first use.
private struct UnicodeTables: Sendable {
  let canonical: [Unicode.Scalar: [Unicode.Scalar]]
  let compatible: [Unicode.Scalar: [Unicode.Scalar]]
  private let compositions: [UInt64: Unicode.Scalar]

  static let shared = UnicodeTables()

  private init() {
    func mapping(_ table: StaticString) -> [Unicode.Scalar: [Unicode.Scalar]] {
      Dictionary(uniqueKeysWithValues: Self.rows(table).map { ($0[0], Array($0.dropFirst())) })
    }
    canonical = mapping(UnicodeMappings.canonical)
    compatible = mapping(UnicodeMappings.compatible)
    compositions = Dictionary(
      uniqueKeysWithValues: Self.rows(UnicodeMappings.compositions).map { (Self.key($0[0], $0[1]), $0[2]) })
  }

  func composition(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    compositions[Self.key(first, second)]
  }

  private static func key(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt64 {
    UInt64(first.value) << 32 | UInt64(second.value)
  }

  private static func rows(_ table: StaticString) -> [[Unicode.Scalar]] {
    table.withUTF8Buffer { text in
      var rows: [[Unicode.Scalar]] = []
      var row: [Unicode.Scalar] = []
      var value: UInt32 = 0
      for byte in text {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
        case UInt8(ascii: " "), UInt8(ascii: ";"):
          row.append(Unicode.Scalar(value)!)
          value = 0
          if byte == UInt8(ascii: ";") {
            rows.append(row)
            row = []
          }
        default: break
        }
      }
      return rows
    }
  }
}
