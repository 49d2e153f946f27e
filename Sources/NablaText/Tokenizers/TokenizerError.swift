import NablaFormats

/// An error in text, a vocabulary or a tokenizer file. Each message says where, and what to do.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
  /// `offset` counts Unicode scalars from 0; `line` and `column` count from 1.
  case unknownCharacter(Unicode.Scalar, offset: Int, line: Int, column: Int)
  /// `offset` counts bytes of UTF-8 from 0.
  case unknownByte(UInt8, offset: Int)
  /// Text that no token can express.
  case unknownPiece(String)
  case vocabularyTooSmall(requested: Int, minimum: Int)
  case emptyCorpus
  case malformedFile(path: String, field: String, reason: String)
  case noTokenizer(path: String)
  case unsupported(path: String, field: String, found: String, supported: String)
  /// A tokenizer that normalizes has no token offsets in a text; `offset` counts bytes of UTF-8 from 0.
  case changedText(offset: Int)

  public var description: String {
    switch self {
    case .unknownCharacter(let scalar, let offset, let line, let column):
      let code = "U+" + String(scalar.value, radix: 16, uppercase: true).leftPadded(to: 4)
      return
        "the character \(String(reflecting: String(scalar))) (\(code)) at character \(offset) (line \(line), column "
        + "\(column)) is not in the vocabulary; use a byte or BPE tokenizer, or text with only the corpus's characters"
    case .unknownByte(let byte, let offset):
      return "the byte 0x\(String(byte, radix: 16).leftPadded(to: 2)) at byte \(offset) is not in the vocabulary; "
        + "use a tokenizer whose vocabulary has all 256 bytes"
    case .unknownPiece(let text):
      return "\(String(reflecting: text)) is not in the vocabulary, which has neither bytes nor an unknown token"
    case .vocabularyTooSmall(let requested, let minimum):
      return "a vocabulary of \(requested) is too small: the 256 bytes and the special tokens take \(minimum)"
    case .changedText(let offset):
      return "the tokenizer normalizes this text at byte \(offset), so its tokens have no offsets in it"
    case .emptyCorpus:
      return "there is no text to build a vocabulary from"
    case .malformedFile(let path, let field, let reason):
      return "\(path): \(field): \(reason)"
    case .noTokenizer(let path):
      return "\(path): no tokenizer.json here; name a GGUF file, a tokenizer.json or a folder that has one "
        + "(a tokenizer.model alone is not read: transformers saves a tokenizer.json from it)"
    case .unsupported(let path, let field, let found, let supported):
      return "\(path): \(field) is \(found), which is not supported; supported: \(supported)"
    }
  }
}
