import NablaFormats

/// The text a model is trained on: documents in a fixed order.
///
/// ```swift
/// let corpus = try TextCorpus.read(["book.txt", "Sources"])
/// let tokens = try corpus.encode(with: tokenizer)
/// ```
public struct TextCorpus: Sendable {
  public struct Document: Sendable, Equatable {
    public let path: String
    public let text: String

    public init(path: String, text: String) {
      self.path = path
      self.text = text
    }
  }

  /// A file or a run in a folder that is not part of the corpus, and why.
  public struct SkippedFile: Sendable, Equatable {
    public let path: String
    public let reason: String
  }

  public let documents: [Document]
  /// Skipped files and runs in folders; hidden ones are not listed.
  public let skipped: [SkippedFile]

  public init(documents: [Document], skipped: [SkippedFile] = []) {
    self.documents = documents
    self.skipped = skipped
  }

  /// A message about what was skipped, naming the first few; nil when there are none.
  public var skippedSummary: String? {
    guard !skipped.isEmpty else { return nil }
    let named = skipped.prefix(3).map { "\($0.path) (\($0.reason))" }.joined(separator: ", ")
    let rest = skipped.count > 3 ? ", and \(skipped.count - 3) more" : ""
    return "skipped \(named)\(rest)"
  }

  /// Bytes of UTF-8 in all documents.
  public var byteCount: Int { documents.reduce(0) { $0 + $1.text.utf8.count } }

  /// The token ids of all documents, with the end-of-text token between them when the tokenizer has one.
  ///
  /// - Parameters:
  ///   - tokenizer: Encodes each document by itself.
  ///   - recognizingSpecialTokens: Whether `<|endoftext|>` written in the text is that token, as in datasets that keep
  ///     many documents in one file.
  /// - Throws: ``CorpusError/encoding(path:reason:)`` that names the document.
  public func encode(with tokenizer: any Tokenizer, recognizingSpecialTokens: Bool = true) throws -> [Int32] {
    var ids: [Int32] = []
    for (index, document) in documents.enumerated() {
      if index > 0, let separator = tokenizer.endOfText { ids.append(separator) }
      do {
        ids += try tokenizer.encode(document.text, recognizingSpecialTokens: recognizingSpecialTokens)
      } catch {
        throw CorpusError.encoding(path: document.path, reason: "\(error)")
      }
    }
    return ids
  }

  /// SHA-256 of the documents in order, each preceded by its length in bytes (8 bytes, little-endian), as hexadecimal
  /// digits. Names do not count: moving a corpus does not change its hash.
  public func contentHash() -> String {
    let hash = SHA256()
    for document in documents {
      withUnsafeBytes(of: UInt64(document.text.utf8.count).littleEndian) { hash.update($0) }
      document.text.withUTF8Bytes { hash.update(UnsafeRawBufferPointer($0)) }
    }
    return hash.finalize().map { String($0, radix: 16).leftPadded(to: 2) }.joined()
  }
}

/// An error in a corpus; each message names the file.
public enum CorpusError: Error, Equatable, CustomStringConvertible {
  case notFound(path: String)
  case notAFile(path: String)
  case empty(path: String)
  /// `offset` is that of the first byte that is not UTF-8.
  case notUTF8(path: String, offset: Int)
  case noText(paths: [String], skippedCount: Int)
  case encoding(path: String, reason: String)
  case tooShort(tokenCount: Int, context: Int)

  public var description: String {
    switch self {
    case .notFound(let path):
      return "\(path): no such file or folder"
    case .notAFile(let path):
      return "\(path): neither a file nor a folder"
    case .empty(let path):
      return "\(path): the file is empty"
    case .notUTF8(let path, let offset):
      return "\(path): not UTF-8 at byte \(offset); convert the file, for example with iconv -t UTF-8"
    case .noText(let paths, let skippedCount):
      let skipped = skippedCount > 0 ? " (\(skippedCount) skipped: binary or empty files, training runs)" : ""
      return paths.isEmpty
        ? "no text files given" : "no text found in \(paths.joined(separator: ", "))\(skipped)"
    case .encoding(let path, let reason):
      return "\(path): \(reason)"
    case .tooShort(let tokenCount, let context):
      return "the text has \(tokenCount) tokens, but a context of \(context) needs at least \(context + 1); "
        + "use more text or a shorter context"
    }
  }
}
