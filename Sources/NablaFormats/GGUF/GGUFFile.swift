import NablaTensor

/// A GGUF file, mapped into memory and checked: metadata, and named tensors with their types and shapes.
///
/// The file is treated as hostile. Every claim in it is checked against its bytes before it is used.
///
/// ```swift
/// let file = try GGUFFile(path: "model.gguf")
/// let context = try file.metadata.integer("llama.context_length")
/// let embedding = try file.tensor("token_embd.weight")  // [vocabulary, width], from the mapped file
/// ```
public struct GGUFFile: Sendable {
  /// One tensor of the file.
  public struct Entry: Sendable, Equatable {
    public let name: String
    /// Row-major: [rows, columns]. The file itself has the sizes in reverse order.
    public let shape: [Int]
    public let type: GGMLType
    /// The position of its bytes in the file.
    public let byteRange: Range<Int>
  }

  public let path: String
  /// The version of the format: 2 or 3.
  public let version: Int
  public let metadata: GGUFMetadata
  /// The tensors in the order of the file.
  public let entries: [Entry]
  /// The size of the file in bytes.
  public var byteCount: Int { mapping.count }

  private let mapping: MappedFile
  private let positions: [String: Int]

  /// Opens and checks a file. Throws ``FileError`` or ``GGUFError``.
  public init(path: String) throws {
    mapping = try MappedFile(path: path)
    self.path = path
    let header = try mapping.withBytes { try GGUFHeader($0, file: path) }
    version = Int(header.version)
    metadata = header.metadata
    entries = header.entries
    positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
  }

  /// Whether a file begins like a GGUF file.
  ///
  /// - Throws: an error for a file that cannot be read; a path that is not a file is not a GGUF file.
  public static func isGGUF(_ path: String) throws(FileError) -> Bool {
    guard FileKind(path, followingLinks: true) == .file else { return false }
    return try MappedFile(path: path).withBytes { $0.starts(with: "GGUF".utf8) }
  }

  /// The names of GGUF files in a folder, sorted; empty if the folder does not exist.
  package static func names(in folder: String) throws(FileError) -> [String] {
    guard FileKind(folder, followingLinks: true) == .folder else { return [] }
    return try folderEntries(folder).filter { $0.lowercased().hasSuffix(".gguf") }
  }

  /// The file that a path refers to: for a folder with one GGUF file and no model of another format, that file.
  package static func path(meantBy path: String) throws(FileError) -> String {
    if pathExists("\(path)/config.json") { return path }
    let names = try names(in: path)
    return names.count == 1 ? "\(path)/\(names[0])" : path
  }

  public func contains(_ name: String) -> Bool { positions[name] != nil }

  /// The tensor with this name, or a ``GGUFError`` that says which file lacks it.
  public func entry(_ name: String) throws(GGUFError) -> Entry {
    guard let index = positions[name] else { throw failure(name, .missingTensor) }
    return entries[index]
  }

  /// The bytes of an entry of this file. Valid within `body`.
  public func withBytes<Result>(of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    precondition(entry.byteRange.upperBound <= mapping.count, "GGUFFile.withBytes: entry of another file")
    return try mapping.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[entry.byteRange])) }
  }

  /// A tensor whose elements stay in the mapped file, which lives as long as the tensor does. It must not be written
  /// to.
  public func tensor(_ name: String) throws(GGUFError) -> Tensor {
    let entry = try entry(name)
    guard let dtype = DType(entry.type) else { throw failure(name, .unsupportedType(entry.type)) }
    // The header's check ties the byte count to shape and type, and places it inside the mapping.
    let storage = mapping.withBytes { bytes in
      Storage(
        borrowing: bytes.baseAddress! + entry.byteRange.lowerBound, bytes: entry.byteRange.count, from: mapping)
    }
    return Tensor(storage: storage, shape: Shape(entry.shape), dtype: dtype)
  }

  private func failure(_ name: String, _ kind: GGUFError.Kind) -> GGUFError {
    GGUFError(file: path, subject: .tensor(name), kind: kind)
  }
}

extension DType {
  /// The type with the same bytes; nil when there is none.
  public init?(_ type: GGMLType) {
    switch type {
    case .f32: self = .float32
    case .f16: self = .float16
    case .bf16: self = .bfloat16
    case .f64: self = .float64
    case .i32: self = .int32
    // Block types have ggml's names here too.
    default:
      guard let same = DType(rawValue: "\(type)") else { return nil }
      self = same
    }
  }
}

extension GGMLType {
  /// The type with the same bytes; nil when there is none.
  public init?(_ dtype: DType) {
    guard let type = GGMLType.allCases.first(where: { DType($0) == dtype }) else { return nil }
    self = type
  }
}
