/// The Castagnoli cyclic redundancy check (RFC 3720, appendix B.4), and the masked form TFRecord files store.
public enum CRC32C {
  /// The remainder of each byte by the reflected polynomial 0x82F63B78.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { remainder, _ in
      remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
    }
  }

  public static func checksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { remainder, byte in remainder >> 8 ^ table[Int((remainder ^ UInt32(byte)) & 255)] }
  }

  /// Rotated and offset, so that the checksum of data which itself holds checksums stays strong.
  public static func masked(_ bytes: [UInt8]) -> UInt32 {
    let checksum = checksum(bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }
}
