import NablaTensor

extension SafetensorsFile {
  /// A copy of a tensor of the file. `I64` becomes int32 if every element fits, `BOOL` becomes uint8; types and ranks
  /// that `Tensor` does not have throw ``SafetensorsError``.
  public func tensor(_ name: String) throws(SafetensorsError) -> Tensor {
    let entry = try entry(name)
    func failure(_ kind: SafetensorsError.Kind) -> SafetensorsError {
      SafetensorsError(file: path, tensor: name, kind: kind)
    }
    guard entry.shape.count <= 6 else { throw failure(.tooManyDimensions(entry.shape.count)) }
    let shape = Shape(entry.shape)
    if entry.dtype == .int64 {
      let elements = withBytes(of: entry) { bytes in
        (0..<bytes.count / 8).map {
          Int32(exactly: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))
        }
      }
      let fitting = elements.compactMap { $0 }
      guard fitting.count == elements.count else { throw failure(.outOfRange) }
      return Tensor(fitting, shape)
    }
    guard let dtype = DType(entry.dtype) else { throw failure(.unsupportedDType(entry.dtype)) }
    let tensor = Tensor(uninitialized: shape, dtype: dtype)
    // The header's check ties the byte count to shape and dtype, so the copy fills the tensor exactly.
    withBytes(of: entry) { bytes in
      if let base = bytes.baseAddress { tensor.pointer.copyMemory(from: base, byteCount: bytes.count) }
    }
    return tensor
  }

  /// A tensor whose elements stay in the mapped file, which lives as long as the tensor does. It must not be written
  /// to. Elements that are misaligned, or of a type that must be converted, are copied.
  public func mappedTensor(_ name: String) throws(SafetensorsError) -> Tensor {
    let entry = try entry(name)
    guard entry.shape.count <= 6, !entry.byteRange.isEmpty, let dtype = DType(entry.dtype) else {
      return try tensor(name)
    }
    // The header's check ties the byte count to shape and type, and places it inside the mapping.
    let start = mapping.withBytes { $0.baseAddress! + entry.byteRange.lowerBound }
    guard Int(bitPattern: start) % dtype.size == 0 else { return try tensor(name) }
    let storage = Storage(borrowing: start, bytes: entry.byteRange.count, from: mapping)
    return Tensor(storage: storage, shape: Shape(entry.shape), dtype: dtype)
  }

  /// All tensors by name.
  public func tensors() throws(SafetensorsError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for entry in entries { tensors[entry.name] = try tensor(entry.name) }
    return tensors
  }

  /// Writes a state dict in the layout of the reference library.
  public static func write(
    _ tensors: [String: Tensor], metadata: [(String, String)] = [("format", "pt")], to path: String
  ) throws {
    try write(tensors.map { SafetensorsTensor(name: $0.key, $0.value) }, metadata: metadata, to: path)
  }
}

extension SafetensorsModel {
  /// A copy of a tensor of the model.
  public func tensor(_ name: String) throws(SafetensorsError) -> Tensor {
    guard let found = find(name) else {
      throw SafetensorsError(file: files.first?.path ?? "the model", tensor: name, kind: .missingTensor)
    }
    return try found.file.tensor(name)
  }

  /// All tensors of all files by name.
  public func tensors() throws(SafetensorsError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for name in names { tensors[name] = try tensor(name) }
    return tensors
  }
}

extension SafetensorsModel {
  /// All tensors of all files by name, their elements left in the mapped files where possible.
  public func mappedTensors() throws(SafetensorsError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for name in names { if let found = find(name) { tensors[name] = try found.file.mappedTensor(name) } }
    return tensors
  }
}

extension SafetensorsTensor {
  /// A tensor in memory; its bytes are written from where they are.
  public init(name: String, _ tensor: Tensor) {
    self.init(name: name, dtype: SafetensorsDType(tensor.dtype), shape: Array(tensor.shape)) { writer in
      try withExtendedLifetime(tensor) {
        try writer.write(UnsafeRawBufferPointer(start: tensor.pointer, count: tensor.dtype.byteCount(of: tensor.count)))
      }
    }
  }
}

extension SafetensorsDType {
  public init(_ dtype: DType) {
    switch dtype {
    case .float32: self = .float32
    case .bfloat16: self = .bfloat16
    case .float16: self = .float16
    case .float64: self = .float64
    case .int32: self = .int32
    case .uint8: self = .uint8
    default: preconditionFailure("safetensors has no type \(dtype): cast the tensor to a float type first")
    }
  }
}

extension DType {
  /// The type with the same bytes; nil when there is none.
  public init?(_ dtype: SafetensorsDType) {
    switch dtype {
    case .float32: self = .float32
    case .bfloat16: self = .bfloat16
    case .float16: self = .float16
    case .float64: self = .float64
    case .int32: self = .int32
    case .uint8, .bool: self = .uint8
    default: return nil
    }
  }
}
