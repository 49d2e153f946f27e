import NablaFormats

extension TextCorpus {
  /// Reads files and folders, in the order given.
  ///
  /// A file named here must be text: UTF-8 and not empty. In a folder, every file below it is read, in the order of
  /// their paths; names that begin with a dot, links to folders, and files that are binary or empty are left out. A
  /// byte order mark at the start of a file is dropped.
  ///
  /// - Throws: ``CorpusError``, or `FileError` when a file cannot be read.
  public static func read(_ paths: [String]) throws -> TextCorpus {
    var documents: [Document] = []
    var skipped: [SkippedFile] = []
    for path in paths {
      switch FileKind(path, followingLinks: true) {
      case .folder: try readFolder(path, into: &documents, &skipped)
      case .file, .pipe: documents.append(try readFile(path))
      case .absent: throw CorpusError.notFound(path: path)
      case .link, .other: throw CorpusError.notAFile(path: path)
      }
    }
    if documents.isEmpty { throw CorpusError.noText(paths: paths, skippedCount: skipped.count) }
    return TextCorpus(documents: documents, skipped: skipped)
  }

  private static func readFile(_ path: String) throws -> Document {
    try MappedFile(path: path).withBytes { bytes in
      let text = withoutMark(bytes)
      if text.isEmpty { throw CorpusError.empty(path: path) }
      return Document(path: path, text: try string(text, of: path))
    }
  }

  /// The text of `bytes`, or a ``CorpusError`` with the offset in the whole of what is called `path`.
  package static func string(_ bytes: UnsafeRawBufferPointer.SubSequence, of path: String) throws(CorpusError) -> String
  {
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw .notUTF8(path: path, offset: bytes.startIndex + firstInvalidByte(bytes))
    }
    return string
  }

  private static func readFolder(
    _ folder: String, into documents: inout [Document], _ skipped: inout [SkippedFile]
  ) throws {
    // A folder sorts as its name with the slash, so that the order is that of whole paths.
    let entries = try folderEntries(folder).filter { !$0.hasPrefix(".") }.map { name in
      let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
      return (path: path, isFolder: FileKind(path, followingLinks: false) == .folder)
    }
    let sorted = entries.sorted {
      ($0.path + ($0.isFolder ? "/" : "")).utf8.lexicographicallyPrecedes(($1.path + ($1.isFolder ? "/" : "")).utf8)
    }
    for (path, isFolder) in sorted {
      if isFolder {
        try readFolder(path, into: &documents, &skipped)
      } else if FileKind(path, followingLinks: true) == .file {
        do {
          let document = try readFile(path)
          if document.text.utf8.prefix(8192).contains(0) {
            skipped.append(SkippedFile(path: path, reason: "binary: it has a zero byte"))
          } else {
            documents.append(document)
          }
        } catch CorpusError.empty {
          skipped.append(SkippedFile(path: path, reason: "empty"))
        } catch CorpusError.notUTF8(_, let offset) {
          skipped.append(SkippedFile(path: path, reason: "binary: not UTF-8 at byte \(offset)"))
        }
      }
    }
  }

  private static func withoutMark(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer.SubSequence {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
  }

  /// The offset in `bytes` at which the first ill-formed sequence begins (Unicode 16, table 3-7).
  private static func firstInvalidByte(_ bytes: UnsafeRawBufferPointer.SubSequence) -> Int {
    var position = bytes.startIndex
    while position < bytes.endIndex {
      let first = bytes[position]
      let (length, second): (Int, ClosedRange<UInt8>) =
        switch first {
        case 0..<0x80: (1, 0x80...0xBF)
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        default: (0, 0x80...0xBF)
        }
      let isWhole =
        length > 0 && position + length <= bytes.endIndex
        && (length < 2 || second.contains(bytes[position + 1]))
        && bytes[min(position + 2, position + length)..<(position + length)].allSatisfy { $0 & 0xC0 == 0x80 }
      if !isWhole { break }
      position += length
    }
    return position - bytes.startIndex
  }
}
