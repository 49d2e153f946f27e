/// A cursor over the bytes of a GGUF file. Nothing is read and no memory is allocated before the bytes are known to be
/// there.
struct GGUFReader {
  let bytes: UnsafeRawBufferPointer
  let file: String
  private(set) var position = 0
  /// The most bytes that arrays may take together. Those of a vocabulary of a million tokens take a tenth of it.
  static let maximumArrayBytes = 256 << 20
  private var arrayBytes = 0
  /// What is being read, for errors.
  var subject = GGUFError.Subject.file
  var place = "the header"

  init(_ bytes: UnsafeRawBufferPointer, file: String) {
    self.bytes = bytes
    self.file = file
  }

  var remaining: Int { bytes.count - position }

  func failure(_ kind: GGUFError.Kind) -> GGUFError { GGUFError(file: file, subject: subject, kind: kind) }

  /// The next number, stored little-endian as this code's CPUs are.
  mutating func number<Number: BitwiseCopyable>(_ type: Number.Type = Number.self) throws(GGUFError) -> Number {
    let size = MemoryLayout<Number>.size
    guard size <= remaining else { throw failure(.cutShort(place)) }
    defer { position += size }
    return bytes.loadUnaligned(fromByteOffset: position, as: type)
  }

  /// A count of items that take at least `minimumByteCount` bytes each: an impossible one is rejected before
  /// anything is allocated for it.
  mutating func count(of items: String, minimumByteCount: Int) throws(GGUFError) -> Int {
    let count = try number(UInt64.self)
    guard count <= UInt64(remaining / minimumByteCount) else { throw failure(.tooMany(items, count: count)) }
    return Int(count)
  }

  mutating func slice(_ count: Int) throws(GGUFError) -> UnsafeRawBufferPointer {
    guard count <= remaining else { throw failure(.cutShort(place)) }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  mutating func string() throws(GGUFError) -> String {
    let count = try count(of: "bytes of a string", minimumByteCount: 1)
    guard let text = String(validating: try slice(count), as: UTF8.self) else {
      throw failure(.malformed("\(place) is not valid UTF-8"))
    }
    return text
  }

  mutating func value() throws(GGUFError) -> GGUFValue {
    switch try kind() {
    case .uint8: .uint8(try number())
    case .int8: .int8(try number())
    case .uint16: .uint16(try number())
    case .int16: .int16(try number())
    case .uint32: .uint32(try number())
    case .int32: .int32(try number())
    case .float32: .float32(try number())
    case .uint64: .uint64(try number())
    case .int64: .int64(try number())
    case .float64: .float64(try number())
    case .bool: .bool(try bool(number()))
    case .string: .string(try string())
    case .array: .array(try array())
    }
  }

  private mutating func kind() throws(GGUFError) -> GGUFValue.Kind {
    let number = try number(UInt32.self)
    guard let kind = GGUFValue.Kind(rawValue: number) else { throw failure(.unknownType(number)) }
    return kind
  }

  private func bool(_ byte: UInt8) throws(GGUFError) -> Bool {
    guard byte <= 1 else { throw failure(.malformed("a boolean is \(byte), not 0 or 1")) }
    return byte == 1
  }

  /// Counts the memory of arrays.
  private mutating func charge(_ byteCount: Int) throws(GGUFError) {
    arrayBytes += byteCount
    if arrayBytes > Self.maximumArrayBytes {
      throw failure(.malformed("its arrays take more than \(Self.maximumArrayBytes >> 20) MiB"))
    }
  }

  private mutating func array() throws(GGUFError) -> GGUFArray {
    let kind = try kind()
    if kind == .array { throw failure(.malformed("arrays of arrays are not supported")) }
    let count = try count(of: "elements", minimumByteCount: kind.byteCount ?? 8)
    // No overflow: the count fits the bytes that remain. An array of strings also keeps where each begins.
    try charge(count * (kind.byteCount ?? 16))
    if let size = kind.byteCount {
      let elements = try slice(count * size)
      if kind == .bool { for byte in elements { _ = try bool(byte) } }
      return GGUFArray(kind: kind, count: count, bytes: Array(elements), starts: [])
    }
    let first = position
    var starts: [Int] = []
    starts.reserveCapacity(count)
    for _ in 0..<count {
      starts.append(position - first)
      _ = try slice(self.count(of: "bytes of a string", minimumByteCount: 1))
    }
    try charge(position - first)
    return GGUFArray(kind: kind, count: count, bytes: Array(bytes[first..<position]), starts: starts)
  }
}
