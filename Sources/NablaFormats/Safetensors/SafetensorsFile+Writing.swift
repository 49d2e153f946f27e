/// One tensor to be written: its description, and a function that delivers its bytes when needed, so that
/// memory need not hold the model twice.
public struct SafetensorsTensor {
  public let name: String
  public let dtype: SafetensorsDType
  public let shape: [Int]
  let writeBytes: (FileWriter) throws -> Void

  /// - Parameters:
  ///   - name: Unique in the file.
  ///   - dtype: The type of each number.
  ///   - shape: Outermost dimension first; empty for a scalar.
  ///   - writeBytes: Writes exactly the tensor's bytes, row-major and little-endian.
  public init(
    name: String, dtype: SafetensorsDType, shape: [Int], writeBytes: @escaping (FileWriter) throws -> Void
  ) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.writeBytes = writeBytes
  }

  public init(name: String, dtype: SafetensorsDType, shape: [Int], bytes: [UInt8]) {
    self.init(name: name, dtype: dtype, shape: shape) { try $0.write(bytes) }
  }
}

extension SafetensorsFile {
  /// Writes tensors like the reference library: widest types first, then by name, the header padded with spaces so
  /// that the data begins at a multiple of 8. The write is atomic (``AtomicFile``).
  ///
  /// Names must differ, and each tensor must deliver the bytes that its shape and type require.
  ///
  /// - Parameters:
  ///   - tensors: In any order.
  ///   - metadata: Free-form strings, written in this order. Hugging Face's loaders expect `("format", "pt")`.
  ///   - path: The file, which is replaced if it exists.
  public static func write(
    _ tensors: [SafetensorsTensor], metadata: [(String, String)] = [], to path: String
  ) throws {
    let ordered = tensors.sorted { left, right in
      left.dtype != right.dtype
        ? left.dtype > right.dtype : left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
    let (header, byteCounts) = header(of: ordered, metadata: metadata)
    try AtomicFile.write(to: path) { writer in
      try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try writer.write($0) }
      try writer.write(header)
      for (tensor, byteCount) in zip(ordered, byteCounts) {
        let start = writer.byteCount
        try tensor.writeBytes(writer)
        precondition(
          writer.byteCount - start == byteCount,
          "SafetensorsFile.write: tensor \(tensor.name) of shape \(tensor.shape) requires \(byteCount) bytes, but "
            + "\(writer.byteCount - start) were written")
      }
    }
  }

  /// The padded header, and the size in bytes of each tensor.
  private static func header(
    of tensors: [SafetensorsTensor], metadata: [(String, String)]
  ) -> (bytes: [UInt8], byteCounts: [Int]) {
    var object = JSONObject()
    if !metadata.isEmpty { object["__metadata__"] = .object(JSONObject(metadata.map { ($0, .string($1)) })) }
    var byteCounts: [Int] = []
    var offset = 0
    for tensor in tensors {
      guard let byteCount = tensor.dtype.byteCount(shape: tensor.shape) else {
        preconditionFailure("SafetensorsFile.write: tensor \(tensor.name) has the impossible shape \(tensor.shape)")
      }
      precondition(object[tensor.name] == nil, "SafetensorsFile.write: the name \(tensor.name) is taken")
      object[tensor.name] = [
        "dtype": .string(tensor.dtype.rawValue),
        "shape": .array(tensor.shape.map { .integer($0) }),
        "data_offsets": [.integer(offset), .integer(offset + byteCount)],
      ]
      offset += byteCount
      byteCounts.append(byteCount)
    }
    var bytes = Array(JSONValue.object(object).serialized().utf8)
    while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
    return (bytes, byteCounts)
  }
}
