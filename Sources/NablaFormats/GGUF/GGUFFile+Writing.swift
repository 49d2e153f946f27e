import NablaTensor

/// One tensor to be written: its description, and a function that delivers its bytes when needed, so that
/// memory need not hold the model twice.
public struct GGUFTensor {
  public let name: String
  /// Row-major: [rows, columns].
  public let shape: [Int]
  public let type: GGMLType
  let writeBytes: (FileWriter) throws -> Void

  /// - Parameters:
  ///   - name: Unique in the file.
  ///   - shape: Outermost dimension first.
  ///   - type: The last dimension is a multiple of its block.
  ///   - writeBytes: Writes exactly the tensor's bytes.
  public init(name: String, shape: [Int], type: GGMLType, writeBytes: @escaping (FileWriter) throws -> Void) {
    self.name = name
    self.shape = shape
    self.type = type
    self.writeBytes = writeBytes
  }

  public init(name: String, shape: [Int], type: GGMLType, bytes: [UInt8]) {
    self.init(name: name, shape: shape, type: type) { try $0.write(bytes) }
  }
}

extension GGUFFile {
  /// The longest name of a tensor that ggml reads, in bytes of UTF-8.
  static let longestName = 63

  /// Writes a GGUF file of version 3 with tensors in the given order. The write is atomic (``AtomicFile``).
  ///
  /// Names must differ, and each tensor must deliver the bytes that its shape and type require. The alignment is that
  /// of `general.alignment` if `metadata` has it, otherwise 32.
  public static func write(_ tensors: [GGUFTensor], metadata: GGUFMetadata, to path: String) throws {
    let alignment = metadata["general.alignment"]?.integer ?? GGUFHeader.defaultAlignment
    precondition(alignment > 0 && alignment % 8 == 0, "GGUFFile.write: general.alignment is \(alignment)")
    func padding(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: (alignment - count % alignment) % alignment) }
    precondition(Set(tensors.map(\.name)).count == tensors.count, "GGUFFile.write: two tensors have one name")

    var header = GGUFBytes()
    header.bytes += "GGUF".utf8
    header.append(UInt32(3))
    header.append(UInt64(tensors.count))
    header.append(UInt64(metadata.count))
    for member in metadata.members {
      header.append(member.key)
      header.append(member.value)
    }
    var offset = 0
    var byteCounts: [Int] = []
    for tensor in tensors {
      guard let byteCount = tensor.type.byteCount(shape: tensor.shape) else {
        preconditionFailure("GGUFFile.write: \(tensor.name): shape \(tensor.shape) of \(tensor.type.name)")
      }
      guard tensor.name.utf8.count <= longestName else {
        throw GGUFError(
          file: path, subject: .tensor(tensor.name),
          kind: .malformed("its name is longer than the \(longestName) bytes that the format's readers accept"))
      }
      header.append(tensor.name)
      header.append(UInt32(tensor.shape.count))
      for size in tensor.shape.reversed() { header.append(UInt64(size)) }
      header.append(tensor.type.rawValue)
      header.append(UInt64(offset))
      byteCounts.append(byteCount)
      offset += byteCount + padding(byteCount).count
    }
    header.bytes += padding(header.bytes.count)
    try AtomicFile.write(to: path) { writer in
      try writer.write(header.bytes)
      for (tensor, byteCount) in zip(tensors, byteCounts) {
        let start = writer.byteCount
        try tensor.writeBytes(writer)
        precondition(
          writer.byteCount - start == byteCount,
          "GGUFFile.write: tensor \(tensor.name) of shape \(tensor.shape) requires \(byteCount) bytes, but "
            + "\(writer.byteCount - start) were written")
        try writer.write(padding(byteCount))
      }
    }
  }
}

/// The bytes of a header as they grow.
private struct GGUFBytes {
  var bytes: [UInt8] = []

  mutating func append<Number: BitwiseCopyable>(_ number: Number) {
    withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
  }

  mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    bytes += text.utf8
  }

  mutating func append(_ value: GGUFValue) {
    append(value.kind.rawValue)
    switch value {
    case .uint8(let number): append(number)
    case .int8(let number): append(number)
    case .uint16(let number): append(number)
    case .int16(let number): append(number)
    case .uint32(let number): append(number)
    case .int32(let number): append(number)
    case .float32(let number): append(number)
    case .uint64(let number): append(number)
    case .int64(let number): append(number)
    case .float64(let number): append(number)
    case .bool(let truth): append(truth ? UInt8(1) : 0)
    case .string(let text): append(text)
    case .array(let array):
      append(array.kind.rawValue)
      append(UInt64(array.count))
      bytes += array.bytes
    }
  }
}
