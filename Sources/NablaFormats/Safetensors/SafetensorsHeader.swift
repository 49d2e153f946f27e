/// The parsed and checked header of a safetensors file.
///
/// Layout: 8 bytes little-endian header length N, N bytes of JSON, then the data. The tensors must cover the data
/// without overlap and without holes. Source: https://github.com/huggingface/safetensors#format
package struct SafetensorsHeader {
  /// The limit of the reference implementation.
  static let maximumByteCount = 100_000_000
  /// Of JSON in the header: enough for 300,000 tensors.
  static let maximumValueCount = 2_000_000

  package private(set) var tensors: [SafetensorsFile.Entry]
  package private(set) var metadata: [String: String] = [:]

  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - file: Its name, for errors.
  package init(_ bytes: UnsafeRawBufferPointer, file: String) throws(SafetensorsError) {
    guard bytes.count >= 8 else { throw SafetensorsError(file: file, kind: .tooShort) }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length > 0, length <= Self.maximumByteCount, length <= bytes.count - 8 else {
      throw SafetensorsError(file: file, kind: .badHeaderLength(length))
    }
    let dataStart = 8 + Int(length)

    let json: JSONValue
    do {
      var reader = JSONReader(
        UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]).bindMemory(to: UInt8.self),
        maximumValues: Self.maximumValueCount)
      json = try reader.readText { (reader) throws(JSONError) in try reader.readValue() }
    } catch {
      throw SafetensorsError(file: file, kind: .badHeader(error))
    }
    guard let object = json.object, bytes[8] == UInt8(ascii: "{") else {
      throw SafetensorsError(file: file, kind: .malformed("it must be one JSON object"))
    }

    tensors = []
    for member in object.members {
      if member.key == "__metadata__" {
        metadata = try Self.metadata(from: member.value, file: file)
      } else {
        tensors.append(try Self.entry(member, dataStart: dataStart, fileByteCount: bytes.count, file: file))
      }
    }
    try checkCoverage(from: dataStart, to: bytes.count, file: file)
  }

  private static func metadata(from value: JSONValue, file: String) throws(SafetensorsError) -> [String: String] {
    var metadata: [String: String] = [:]
    // The reference implementation treats null as missing.
    if value == .null { return metadata }
    guard let object = value.object else {
      throw SafetensorsError(file: file, kind: .malformed("__metadata__ must be an object or null"))
    }
    for member in object.members {
      guard let text = member.value.string else {
        throw SafetensorsError(file: file, kind: .malformed("__metadata__ \"\(member.key)\" must be a string"))
      }
      metadata[member.key] = text
    }
    return metadata
  }

  private static func entry(
    _ member: JSONObject.Member, dataStart: Int, fileByteCount: Int, file: String
  ) throws(SafetensorsError) -> SafetensorsFile.Entry {
    func failure(_ kind: SafetensorsError.Kind) -> SafetensorsError {
      SafetensorsError(file: file, tensor: member.key, kind: kind)
    }
    guard let dtypeName = member.value["dtype"]?.string else { throw failure(.malformed("\"dtype\" is missing")) }
    guard let dtype = SafetensorsDType(rawValue: dtypeName) else { throw failure(.unknownDType(dtypeName)) }
    guard let shape = naturals(member.value["shape"]) else {
      throw failure(.malformed("\"shape\" must be a list of non-negative integers"))
    }
    guard let offsets = naturals(member.value["data_offsets"]), offsets.count == 2, offsets[0] <= offsets[1] else {
      throw failure(.malformed("\"data_offsets\" must be a start and an end, in this order"))
    }
    guard offsets[1] <= fileByteCount - dataStart else {
      throw failure(.outsideFile(dataByteCount: fileByteCount - dataStart))
    }
    let byteCount = offsets[1] - offsets[0]
    guard dtype.byteCount(shape: shape) == byteCount else {
      throw failure(.sizeMismatch(shape: shape, dtype: dtype, byteCount: byteCount))
    }
    // No overflow: the end was checked to lie within the file.
    let range = dataStart + offsets[0]..<dataStart + offsets[1]
    return SafetensorsFile.Entry(name: member.key, dtype: dtype, shape: shape, byteRange: range)
  }

  private static func naturals(_ value: JSONValue?) -> [Int]? {
    guard let array = value?.array else { return nil }
    let numbers = array.compactMap(\.integer).filter { $0 >= 0 }
    return numbers.count == array.count ? numbers : nil
  }

  /// Sorts the tensors by position and checks that they tile the data exactly.
  private mutating func checkCoverage(from start: Int, to end: Int, file: String) throws(SafetensorsError) {
    tensors.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound) < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    var position = start
    for tensor in tensors {
      if tensor.byteRange.lowerBound != position {
        let kind: SafetensorsError.Kind = tensor.byteRange.lowerBound < position ? .overlap : .hole
        throw SafetensorsError(file: file, tensor: tensor.name, kind: kind)
      }
      position = tensor.byteRange.upperBound
    }
    if position != end { throw SafetensorsError(file: file, kind: .outsideFile(dataByteCount: end - start)) }
  }
}
