import NablaFormats
import Testing

@Suite struct TensorBoardTests {
  /// The vectors of RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  @Test func crc32c() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum(Array((0..<32).reversed())) == 0x113F_DB5C)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
  }

  /// The same events as the protobuf classes of TensorBoard give, byte for byte.
  @Test func writesWhatTensorBoardWrites() throws {
    try withTemporaryFolder { folder in
      let writer = try TensorBoardWriter(folder: folder, resumingAt: 3, now: { 1000.5 })
      try writer.write(scalar: 1.25, tag: "train/loss", step: 300)
      try writer.write(text: "so it goes ∇", tag: "sample", step: 1 << 40)
      try writer.write(
        png: Array("not really a PNG".utf8), width: 6, height: 4, channels: 3, tag: "attention", step: 5)
      #expect(try readBytes(writer.path) == readBytes(fixture("events")))
      #expect(writer.path.contains("/events.out.tfevents.1000."))
    }
  }

  @Test func writersOfOneSecondDoNotCollide() throws {
    try withTemporaryFolder { folder in
      let paths = try (0..<3).map { _ in try TensorBoardWriter(folder: folder, now: { 5 }).path }
      #expect(Set(paths).count == 3)
    }
  }
}
