/// SentencePiece's normalization (`Precompiled` in `tokenizer.json`): a map from character sequences to texts, as a
/// double-array trie (Aoe 1989, the layout of the library Darts-clone) and the concatenated texts.
public struct PrecompiledMap: Sendable, Equatable {
  /// The bytes as files have them: the size of the trie in bytes, the trie, the texts with a zero byte after each.
  public let bytes: [UInt8]
  private let units: [UInt32]
  private let textStart: Int
  /// The most bytes of a text in the map. The longest of Unicode's compatibility mappings has 33.
  static let longestText = 64

  /// Nil when `bytes` are not such a map.
  public init?(_ bytes: [UInt8]) {
    func word(_ at: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
    }
    guard bytes.count >= 4 else { return nil }
    let size = Int(word(0))
    guard size % 4 == 0, size > 0, size <= bytes.count - 4 else { return nil }
    self.bytes = bytes
    units = (0..<(size / 4)).map { word(4 + 4 * $0) }
    textStart = 4 + size
    var length = 0
    for byte in bytes[textStart...] {
      length = byte == 0 ? 0 : length + 1
      if length > Self.longestText { return nil }
    }
  }

  /// The replacement of `characters`; nil if there is none. Of several matches the shortest is used, as in Hugging
  /// Face.
  private func replacement(_ characters: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    var node = Int(Self.offset(units[0]))
    for byte in characters {
      if byte == 0 { return nil }
      node ^= Int(byte)
      guard node < units.count, units[node] & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
      let unit = units[node]
      node ^= Int(Self.offset(unit))
      if unit >> 8 & 1 == 1 {
        guard node < units.count else { return nil }
        let start = textStart + Int(units[node] & (1 << 31 - 1))
        guard start <= bytes.count else { return nil }
        let text = bytes[start...].prefix { $0 != 0 }
        return String(validating: text, as: UTF8.self) == nil ? nil : text
      }
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & 1 << 9) >> 6) }

  func apply(to text: inout [UInt8]) {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for character in String(decoding: text, as: UTF8.self) {
      let whole = Array(character.utf8)
      if whole.count < 6, let replacement = replacement(whole[...]) {
        result += replacement
        continue
      }
      for scalar in character.unicodeScalars {
        let part = Array(UTF8.encode(scalar)!)
        result += replacement(part[...]) ?? part[...]
      }
    }
    text = result
  }
}

/// Base64 (RFC 4648), as JSON files have binary data.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << UInt32(16 - 8 * $1.offset) }
      for digit in 0...group.count { text.append(alphabet[Int(bits >> UInt32(18 - 6 * digit) & 63)]) }
      for _ in group.count..<3 { text.append(UInt8(ascii: "=")) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Nil when `text` is not base64.
  static func decode(_ text: String) -> [UInt8]? {
    var values = [UInt8](repeating: 64, count: 256)
    for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
    var digits = Array(text.utf8)
    guard digits.count % 4 == 0 else { return nil }
    for _ in 0..<2 where digits.last == UInt8(ascii: "=") { digits.removeLast() }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    for (index, digit) in digits.enumerated() {
      guard values[Int(digit)] < 64 else { return nil }
      bits = bits << 6 | UInt32(values[Int(digit)])
      switch index % 4 {
      case 1: bytes.append(UInt8(truncatingIfNeeded: bits >> 4))
      case 2: bytes.append(UInt8(truncatingIfNeeded: bits >> 2))
      case 3: bytes.append(UInt8(truncatingIfNeeded: bits))
      default: break
      }
    }
    return digits.count % 4 == 1 ? nil : bytes
  }
}
