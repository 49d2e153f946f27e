/// A safetensors file, mapped into memory and checked: named tensors, their types and shapes, and their raw bytes.
///
/// The file is treated as hostile. Every claim in the header is checked against the file before it is used.
///
/// ```swift
/// let file = try SafetensorsFile(path: "model.safetensors")
/// let entry = try file.entry("lm_head.weight")
/// file.withBytes(of: entry) { bytes in … }  // row-major, little-endian
/// ```
public struct SafetensorsFile: Sendable {
  /// One tensor of the file.
  public struct Entry: Sendable, Equatable {
    public let name: String
    public let dtype: SafetensorsDType
    public let shape: [Int]
    /// The position of its bytes in the file.
    public let byteRange: Range<Int>
  }

  public let path: String
  /// The tensors in the order of their bytes.
  public let entries: [Entry]
  /// The free-form strings under `__metadata__`.
  public let metadata: [String: String]

  let mapping: MappedFile
  private let positions: [String: Int]

  /// Opens and checks a file. Throws ``FileError`` or ``SafetensorsError``.
  public init(path: String) throws {
    mapping = try MappedFile(path: path)
    self.path = path
    let header = try mapping.withBytes { try SafetensorsHeader($0, file: path) }
    entries = header.tensors
    metadata = header.metadata
    var positions: [String: Int] = [:]
    for (index, entry) in entries.enumerated() {
      // The parser rejects equal keys; here, two Unicode encodings of one name, which no lookup could tell apart.
      if positions.updateValue(index, forKey: entry.name) != nil {
        throw SafetensorsError(file: path, tensor: entry.name, kind: .malformed("the name occurs twice"))
      }
    }
    self.positions = positions
  }

  /// The tensor with this name, or a ``SafetensorsError`` that says which file lacks it.
  public func entry(_ name: String) throws(SafetensorsError) -> Entry {
    guard let index = positions[name] else { throw SafetensorsError(file: path, tensor: name, kind: .missingTensor) }
    return entries[index]
  }

  public func contains(_ name: String) -> Bool { positions[name] != nil }

  /// The bytes of an entry of this file: row-major, little-endian, not necessarily aligned. Valid within `body`.
  public func withBytes<Result>(of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    precondition(entry.byteRange.upperBound <= mapping.count, "SafetensorsFile.withBytes: entry of another file")
    return try mapping.withBytes { try body(UnsafeRawBufferPointer(rebasing: $0[entry.byteRange])) }
  }
}
