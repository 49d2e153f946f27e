/// A Protocol Buffers message being encoded, field by field.
///
/// Only what TensorBoard's events need. Source: https://protobuf.dev/programming-guides/encoding
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  private enum WireType: UInt64 {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case fixed32 = 5
  }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(tag field: Int, _ type: WireType) {
    append(varint: UInt64(field) << 3 | type.rawValue)
  }

  mutating func append(_ field: Int, integer value: Int) {
    append(tag: field, .varint)
    append(varint: UInt64(bitPattern: Int64(value)))
  }

  mutating func append(_ field: Int, double value: Double) {
    append(tag: field, .fixed64)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func append(_ field: Int, float value: Float) {
    append(tag: field, .fixed32)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func append(_ field: Int, bytes value: [UInt8]) {
    append(tag: field, .lengthDelimited)
    append(varint: UInt64(value.count))
    bytes += value
  }

  mutating func append(_ field: Int, string value: String) { append(field, bytes: Array(value.utf8)) }

  mutating func append(_ field: Int, message build: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    build(&message)
    append(field, bytes: message.bytes)
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
