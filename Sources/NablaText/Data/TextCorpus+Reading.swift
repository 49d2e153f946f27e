import NablaFormats

extension TextCorpus {
  /// Reads files and folders, in the order given.
  ///
  /// A file named here must be text: UTF-8 and not empty. In a folder, every file below it is read, in the order of
  /// their paths; names that begin with a dot, links to folders, training runs, and files that are binary or empty are
  /// skipped. (A run's metrics and samples grow while it trains: with them the text would change under the run.)
  /// A byte order mark at the start of a file is dropped.
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
      let text = TextBytes.withoutMark(bytes)
      if text.isEmpty { throw CorpusError.empty(path: path) }
      return Document(path: path, text: try string(text, of: path))
    }
  }

  /// The text of `bytes`, or a ``CorpusError`` with the offset in the file at `path`.
  package static func string(_ bytes: UnsafeRawBufferPointer.SubSequence, of path: String) throws(CorpusError) -> String
  {
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw .notUTF8(path: path, offset: bytes.startIndex + TextBytes.firstInvalidByte(bytes))
    }
    return string
  }

  private static func readFolder(
    _ folder: String, into documents: inout [Document], _ skipped: inout [SkippedFile]
  ) throws {
    // A folder sorts with a trailing slash, so that the order is that of full paths.
    let entries = try folderEntries(folder).filter { !$0.hasPrefix(".") }.map { name in
      let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
      return (path: path, isFolder: FileKind(path, followingLinks: false) == .folder)
    }
    let sorted = entries.sorted {
      ($0.path + ($0.isFolder ? "/" : "")).utf8.lexicographicallyPrecedes(($1.path + ($1.isFolder ? "/" : "")).utf8)
    }
    for (path, isFolder) in sorted {
      if isFolder, isRun(path) {
        skipped.append(SkippedFile(path: path, reason: "a training run"))
      } else if isFolder {
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

  /// Whether the folder has the `config.json` of a training run. (That of a Hugging Face model has no command.)
  private static func isRun(_ folder: String) -> Bool {
    let file = "\(folder)/config.json"
    guard FileKind(file, followingLinks: true) == .file, let json = try? JSONValue(contentsOfFile: file) else {
      return false
    }
    return json["formatVersion"]?.integer != nil && json["command"]?.string != nil
  }
}
