/// The scalar that begins at `position` of UTF-8 that is known to be valid, and its length in bytes (1 to 4).
@inline(__always)
package func decodeScalar(
  _ bytes: UnsafeBufferPointer<UInt8>, at position: Int
) -> (scalar: Unicode.Scalar, length: Int) {
  let first = UInt32(bytes[position])
  if first < 0x80 { return (Unicode.Scalar(UInt8(first)), 1) }
  let second = UInt32(bytes[position + 1]) & 0x3F
  // The input is the UTF-8 of a String, which is always valid, so no value here is a surrogate or out of range.
  if first < 0xE0 { return (Unicode.Scalar((first & 0x1F) << 6 | second)!, 2) }
  let third = UInt32(bytes[position + 2]) & 0x3F
  if first < 0xF0 { return (Unicode.Scalar((first & 0x0F) << 12 | second << 6 | third)!, 3) }
  let fourth = UInt32(bytes[position + 3]) & 0x3F
  return (Unicode.Scalar((first & 0x07) << 18 | second << 12 | third << 6 | fourth)!, 4)
}
