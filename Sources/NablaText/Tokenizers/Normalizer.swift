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
