import NablaFormats

/// What a tokenizer does to text before pre-tokenization (`normalizer` in `tokenizer.json`).
public indirect enum Normalizer: Sendable, Equatable {
  /// Prepends a text, unless the input is empty.
  case prepend(String)
  /// Replaces every occurrence of a text, which is not empty.
  case replace(String, with: String)
  case unicode(NormalizationForm)
  case precompiled(PrecompiledMap)
  case bert(BertNormalizer)
  case lowercase
  /// Strips whitespace at the ends.
  case strip(left: Bool, right: Bool)
  case sequence([Normalizer])

  /// The same without prepending, for text that continues another.
  var withoutPrepending: Normalizer? {
    switch self {
    case .prepend: nil
    case .sequence(let steps): .sequence(steps.compactMap(\.withoutPrepending))
    default: self
    }
  }

  /// The most times longer that a text can become, in bytes. A chain of replacements multiplies, so that a small
  /// file could ask for any amount of memory; ``maximumGrowth`` bounds what is read from files.
  var growth: Double {
    switch self {
    case .prepend(let text): 1 + Double(text.utf8.count)
    case .replace(let old, let new): max(1, Double(new.utf8.count) / Double(max(old.utf8.count, 1)))
    // U+FDFA, of 3 bytes, has the longest compatibility decomposition: 33 bytes. In NFD three times is the most.
    case .unicode(let form): form == .nfkc || form == .nfkd ? 11 : 3
    case .precompiled: Double(PrecompiledMap.longestText)
    // Spaces around ideographs, NFD and lowercase.
    case .bert: 8
    case .lowercase: 1.5
    case .strip: 1
    case .sequence(let steps): steps.reduce(1) { $0 * $1.growth }
    }
  }

  static let maximumGrowth = 2_000.0

  /// The UTF-8 of the normalized `text`.
  func normalized(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var bytes = Array(text)
    apply(to: &bytes)
    return bytes
  }

  private func apply(to bytes: inout [UInt8]) {
    switch self {
    case .prepend(let text): if !bytes.isEmpty { bytes = Array(text.utf8) + bytes }
    case .replace(let old, let new): bytes = UTF8Text.replacing(bytes, Array(old.utf8), with: Array(new.utf8))
    case .unicode(let form): form.apply(to: &bytes)
    case .precompiled(let map): map.apply(to: &bytes)
    case .bert(let normalizer): normalizer.apply(to: &bytes)
    case .lowercase: bytes = UTF8Text.lowercased(bytes)
    case .strip(let left, let right):
      bytes = UTF8Text.stripped(bytes, characters: nil, left: left, right: right)
    case .sequence(let steps): for step in steps { step.apply(to: &bytes) }
    }
  }
}
