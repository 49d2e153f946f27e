import NablaFormats

/// BERT's normalization: removes control characters, converts whitespace to spaces, isolates Chinese
/// characters, strips accents, lowercases.
public struct BertNormalizer: Sendable, Equatable {
  public var cleansText: Bool
  public var separatesChinese: Bool
  public var stripsAccents: Bool
  public var lowercases: Bool

  public init(
    cleansText: Bool = true, separatesChinese: Bool = true, stripsAccents: Bool = true, lowercases: Bool = true
  ) {
    self.cleansText = cleansText
    self.separatesChinese = separatesChinese
    self.stripsAccents = stripsAccents
    self.lowercases = lowercases
  }

  func apply(to bytes: inout [UInt8]) {
    if bytes.allSatisfy({ $0 < 0x80 }) { return applyToASCII(&bytes) }
    var scalars = UTF8Text.scalars(bytes)
    if cleansText {
      scalars = scalars.compactMap { scalar in
        if scalar == "\t" || scalar == "\n" || scalar == "\r" { return " " }
        if scalar == "\u{0}" || scalar == "\u{FFFD}" || Self.isControl(scalar) { return nil }
        return scalar.properties.isWhitespace ? " " : scalar
      }
    }
    if separatesChinese { scalars = scalars.flatMap { Self.isChinese($0.value) ? [" ", $0, " "] : [$0] } }
    if stripsAccents {
      var decomposed = UTF8Text.encode(scalars)
      NormalizationForm.nfd.apply(to: &decomposed)
      scalars = UTF8Text.scalars(decomposed).filter { $0.properties.generalCategory != .nonspacingMark }
    }
    if lowercases { scalars = scalars.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) } }
    bytes = UTF8Text.encode(scalars)
  }

  private func applyToASCII(_ bytes: inout [UInt8]) {
    if cleansText {
      bytes.removeAll { $0 < 0x20 && !(9...10).contains($0) && $0 != 13 || $0 == 0x7F }
      for i in bytes.indices where bytes[i] < 0x20 { bytes[i] = UInt8(ascii: " ") }
    }
    if lowercases { for i in bytes.indices where bytes[i] &- 0x41 < 26 { bytes[i] |= 0x20 } }
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse: true
    default: false
    }
  }

  /// The blocks of Chinese characters in BERT and Hugging Face.
  private static func isChinese(_ value: UInt32) -> Bool {
    switch value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F, 0x2B920...0x2CEAF,
      0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
