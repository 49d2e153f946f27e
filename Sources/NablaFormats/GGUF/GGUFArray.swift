/// An array of a GGUF file, kept as raw bytes: a vocabulary of 150,000 strings is two allocations until
/// the strings are requested.
public struct GGUFArray: Sendable, Equatable {
  /// The type of every element. Not `.array`: arrays of arrays are rejected, as in llama.cpp.
  public let kind: GGUFValue.Kind
  public let count: Int
  /// The elements as stored in the file.
  package let bytes: [UInt8]
  /// For strings: where each element's 8 bytes of length begin. Otherwise empty.
  private let starts: [Int]

  /// - Parameter starts: for strings, where each begins; each lies whole in `bytes`.
  init(kind: GGUFValue.Kind, count: Int, bytes: [UInt8], starts: [Int]) {
    self.kind = kind
    self.count = count
    self.bytes = bytes
    self.starts = starts
  }

  public init(_ strings: [String]) {
    var bytes: [UInt8] = []
    var starts: [Int] = []
    for string in strings {
      starts.append(bytes.count)
      withUnsafeBytes(of: UInt64(string.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: string.utf8)
    }
    self.init(kind: .string, count: strings.count, bytes: bytes, starts: starts)
  }

  public init(_ numbers: [UInt8]) { self.init(kind: .uint8, numbers) }
  public init(_ numbers: [Int32]) { self.init(kind: .int32, numbers) }
  public init(_ numbers: [UInt32]) { self.init(kind: .uint32, numbers) }
  public init(_ numbers: [Float]) { self.init(kind: .float32, numbers) }

  private init<Number>(kind: GGUFValue.Kind, _ numbers: [Number]) {
    self.init(kind: kind, count: numbers.count, bytes: numbers.withUnsafeBytes(Array.init), starts: [])
  }

  /// The bytes of one string of an array of strings: usually UTF-8, which the format does not enforce.
  public func utf8(at index: Int) -> ArraySlice<UInt8> {
    precondition(kind == .string, "GGUFArray.utf8(at:): an array of \(kind)")
    let end = index + 1 < count ? starts[index + 1] : bytes.count
    return bytes[starts[index] + 8..<end]
  }

  /// Calls `body` with the bytes of each string of an array of strings, in order.
  package func withUTF8<Failure: Error>(_ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Void) throws(Failure) {
    precondition(kind == .string, "GGUFArray.withUTF8: an array of \(kind)")
    try bytes.withUnsafeBufferPointer { (bytes) throws(Failure) in
      for index in 0..<count {
        let end = index + 1 < count ? starts[index + 1] : bytes.count
        try body(UnsafeBufferPointer(rebasing: bytes[starts[index] + 8..<end]))
      }
    }
  }

  /// All elements of an array of strings; nil for another type, or when one is not UTF-8.
  public func strings() -> [String]? {
    guard kind == .string else { return nil }
    var result: [String] = []
    result.reserveCapacity(count)
    for index in 0..<count {
      guard let string = String(validating: utf8(at: index), as: UTF8.self) else { return nil }
      result.append(string)
    }
    return result
  }

  /// All elements of an array of integers; nil for another type, or beyond `Int`.
  public func integers() -> [Int]? {
    switch kind {
    case .uint8: elements(UInt8.self) { Int($0) }
    case .int8: elements(Int8.self) { Int($0) }
    case .uint16: elements(UInt16.self) { Int($0) }
    case .int16: elements(Int16.self) { Int($0) }
    case .uint32: elements(UInt32.self) { Int($0) }
    case .int32: elements(Int32.self) { Int($0) }
    case .int64: elements(Int64.self) { Int($0) }
    case .uint64: elements(UInt64.self) { Int(exactly: $0) }
    case .float32, .float64, .bool, .string, .array: nil
    }
  }

  /// All elements of an array of numbers; nil for another type.
  public func doubles() -> [Double]? {
    switch kind {
    case .float32: elements(Float.self) { Double($0) }
    case .float64: elements(Double.self) { $0 }
    default: integers().map { $0.map(Double.init) }
    }
  }

  /// All elements of an array of booleans; nil for another type.
  public func bools() -> [Bool]? { kind == .bool ? bytes.map { $0 != 0 } : nil }

  private func elements<Stored: BitwiseCopyable, Element>(
    _ type: Stored.Type, _ convert: (Stored) -> Element?
  ) -> [Element]? {
    var result: [Element] = []
    result.reserveCapacity(count)
    for index in 0..<count {
      let stored = bytes.withUnsafeBytes {
        $0.loadUnaligned(fromByteOffset: index * MemoryLayout<Stored>.size, as: type)
      }
      guard let element = convert(stored) else { return nil }
      result.append(element)
    }
    return result
  }
}

extension GGUFArray: CustomStringConvertible {
  /// The type, the count and the first elements.
  public var description: String {
    let shown = 4
    let head: [String] =
      switch kind {
      case .string:
        (0..<min(shown, count)).map { String(reflecting: String(decoding: utf8(at: $0).prefix(24), as: UTF8.self)) }
      case .float32, .float64: (doubles() ?? []).prefix(shown).map { "\($0)" }
      case .bool: (bools() ?? []).prefix(shown).map { "\($0)" }
      default: (integers() ?? []).prefix(shown).map { "\($0)" }
      }
    return "\(kind)[\(count)]: \(head.joined(separator: ", "))\(count > shown ? ", …" : "")"
  }
}
