/// Everything before the data of a GGUF file, parsed and checked.
///
/// Layout: "GGUF", version, number of tensors, number of keys; keys with values; for each tensor name, dimensions
/// (innermost first), type and offset; padding; the data, in which each tensor begins at a multiple of the alignment.
/// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
package struct GGUFHeader {
  package let version: UInt32
  package let metadata: GGUFMetadata
  /// In file order.
  package let entries: [GGUFFile.Entry]
  package let alignment: Int

  static let defaultAlignment = 32
  /// The maximum number of dimensions in ggml.
  static let maximumRank = 4

  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - file: Its name, for errors.
  package init(_ bytes: UnsafeRawBufferPointer, file: String) throws(GGUFError) {
    var reader = GGUFReader(bytes, file: file)
    guard bytes.starts(with: "GGUF".utf8) else { throw reader.failure(.notGGUF) }
    _ = try reader.number(UInt32.self)
    version = try reader.number()
    if version.byteSwapped <= 3, version != 0 { throw reader.failure(.bigEndian) }
    guard (2...3).contains(version) else { throw reader.failure(.unsupportedVersion(version)) }
    // At least: a name's length, rank, type and offset; a key's length, its first byte, its type and a value of a byte.
    let tensorCount = try reader.count(of: "tensors", minimumByteCount: 8 + 4 + 4 + 8)
    let keyCount = try reader.count(of: "keys", minimumByteCount: 8 + 1 + 4 + 1)
    // Far more than any model has, and few enough that describing them takes little memory.
    if tensorCount > 1_000_000 {
      throw reader.failure(.malformed("\(tensorCount) tensors; at most 1,000,000 are read"))
    }
    if keyCount > 100_000 { throw reader.failure(.malformed("\(keyCount) keys; at most 100,000 are read")) }

    metadata = try Self.metadata(&reader, count: keyCount)
    alignment = try Self.alignment(metadata)
    let found = try Self.entries(&reader, count: tensorCount)
    entries = try Self.placed(found, headerEnd: reader.position, alignment: alignment, reader)
  }

  private static func metadata(_ reader: inout GGUFReader, count: Int) throws(GGUFError) -> GGUFMetadata {
    var metadata = GGUFMetadata(file: reader.file)
    for index in 0..<count {
      reader.subject = .file
      reader.place = "the name of key \(index + 1) of \(count)"
      let key = try reader.string()
      if key.isEmpty { throw reader.failure(.malformed("\(reader.place) is empty")) }
      reader.subject = .key(key)
      reader.place = "its value"
      guard metadata.append(key, try reader.value()) else { throw reader.failure(.duplicate) }
    }
    return metadata
  }

  private static func alignment(_ metadata: GGUFMetadata) throws(GGUFError) -> Int {
    let key = "general.alignment"
    guard let value = metadata[key] else { return defaultAlignment }
    guard case .uint32(let number) = value, (8...65536).contains(number), number.nonzeroBitCount == 1 else {
      throw metadata.failure(
        key, .wrongValue(expected: "a power of two from 8 to 65536 as uint32", found: "the \(value.kind) \(value)"))
    }
    return Int(number)
  }

  /// A tensor's description as stored in the file; `offset` counts from the beginning of the data.
  private struct Description {
    let name: String
    let shape: [Int]
    let type: GGMLType
    let offset: UInt64
    let byteCount: Int
  }

  private static func entries(_ reader: inout GGUFReader, count: Int) throws(GGUFError) -> [Description] {
    var names: Set<String> = []
    var result: [Description] = []
    for index in 0..<count {
      reader.subject = .file
      reader.place = "the description of tensor \(index + 1) of \(count)"
      let name = try reader.string()
      reader.subject = .tensor(name)
      guard names.insert(name).inserted else { throw reader.failure(.duplicate) }
      result.append(try description(&reader, name))
    }
    return result
  }

  private static func description(_ reader: inout GGUFReader, _ name: String) throws(GGUFError) -> Description {
    let rank = try reader.number(UInt32.self)
    guard rank <= maximumRank else {
      throw reader.failure(.malformed("has \(rank) dimensions; at most \(maximumRank) are allowed"))
    }
    var shape: [Int] = []
    for _ in 0..<rank {
      let size = try reader.number(UInt64.self)
      guard let size = Int(exactly: size), size > 0 else {
        throw reader.failure(.malformed("has a dimension of \(size); it must be from 1 to \(Int.max)"))
      }
      shape.append(size)
    }
    shape.reverse()  // the file has the innermost first
    let number = try reader.number(UInt32.self)
    guard let type = GGMLType(rawValue: number) else { throw reader.failure(.unknownType(number)) }
    guard let byteCount = type.byteCount(shape: shape) else {
      let problem =
        (shape.last ?? 1) % type.block.elements == 0
        ? "is larger than any memory" : "does not have rows of whole blocks of \(type.block.elements)"
      throw reader.failure(.malformed("of type \(type.name) and shape \(shape) \(problem)"))
    }
    return Description(
      name: name, shape: shape, type: type, offset: try reader.number(UInt64.self), byteCount: byteCount)
  }

  /// Places tensors in the file and checks that they tile the data: aligned, without overlap, without holes but the
  /// padding, none beyond the end.
  private static func placed(
    _ tensors: [Description], headerEnd: Int, alignment: Int, _ reader: GGUFReader
  ) throws(GGUFError) -> [GGUFFile.Entry] {
    // Neither sum overflows: both summands are at most the file's size, or the alignment's bound.
    func padded(_ position: Int) -> Int { (position + alignment - 1) / alignment * alignment }
    let dataStart = padded(headerEnd)
    var ranges = [Range<Int>](repeating: 0..<0, count: tensors.count)
    var expected = 0
    for index in tensors.indices.sorted(by: { tensors[$0].offset < tensors[$1].offset }) {
      let tensor = tensors[index]
      func failure(_ kind: GGUFError.Kind) -> GGUFError {
        GGUFError(file: reader.file, subject: .tensor(tensor.name), kind: kind)
      }
      if tensor.offset % UInt64(alignment) != 0 {
        throw failure(.malformed("begins at \(tensor.offset), not at a multiple of the alignment \(alignment)"))
      }
      if tensor.offset < expected { throw failure(.malformed("overlaps another tensor")) }
      if tensor.offset > expected {
        throw failure(
          .malformed("begins at \(tensor.offset), after bytes from \(expected) on that belong to no tensor"))
      }
      guard dataStart <= reader.bytes.count, tensor.byteCount <= reader.bytes.count - dataStart - expected else {
        throw failure(.cutShort("its \(tensor.byteCount) bytes"))
      }
      ranges[index] = dataStart + expected..<dataStart + expected + tensor.byteCount
      // The last tensor's padding may be missing; then nothing can follow it.
      expected = min(padded(expected + tensor.byteCount), reader.bytes.count - dataStart)
    }
    return zip(tensors, ranges).map {
      GGUFFile.Entry(name: $0.name, shape: $0.shape, type: $0.type, byteRange: $1)
    }
  }
}
