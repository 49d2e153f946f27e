import Foundation
import NablaFormats
import NablaTensor
import Testing

@Suite struct ImageTests {
  /// A PNG file put together here, by the specification, with stored (not compressed) blocks.
  static func png(
    width: Int, height: Int, depth: UInt8 = 8, color: UInt8, rows: [[UInt8]], chunks: [(String, [UInt8])] = []
  ) -> [UInt8] {
    func number(_ n: UInt32) -> [UInt8] { withUnsafeBytes(of: n.bigEndian) { Array($0) } }
    func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
      let body = Array(type.utf8) + data
      var crc: UInt32 = 0xFFFF_FFFF
      for byte in body {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
      }
      return number(UInt32(data.count)) + body + number(~crc)
    }
    let raw: [UInt8] = rows.reduce(into: []) { $0 += [0] + $1 }
    let (low, high) = (UInt8(raw.count & 0xFF), UInt8(raw.count >> 8))
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in raw {
      a = (a + UInt32(byte)) % 65521
      b = (b + a) % 65521
    }
    var stream: [UInt8] = [0x78, 0x01, 0x01, low, high, ~low, ~high]
    stream += raw
    stream += number(b << 16 | a)
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    file += chunk("IHDR", number(UInt32(width)) + number(UInt32(height)) + [depth, color, 0, 0, 0])
    for (type, data) in chunks { file += chunk(type, data) }
    return file + chunk("IDAT", stream) + chunk("IEND", [])
  }

  private func read(_ bytes: [UInt8]) throws -> Image {
    try bytes.withUnsafeBytes { (bytes) throws(ImageError) in try PNG.read(bytes, file: "test.png") }
  }

  @Test func readsEveryKind() throws {
    let gray = try read(Self.png(width: 3, height: 2, color: 0, rows: [[0, 128, 255], [1, 2, 3]]))
    #expect(gray == Image(width: 3, height: 2, channels: .gray, bytes: [0, 128, 255, 1, 2, 3]))
    let rgb = try read(Self.png(width: 2, height: 1, color: 2, rows: [[1, 2, 3, 4, 5, 6]]))
    #expect(rgb == Image(width: 2, height: 1, channels: .rgb, bytes: [1, 2, 3, 4, 5, 6]))
    let rgba = try read(Self.png(width: 1, height: 2, color: 6, rows: [[9, 8, 7, 0], [6, 5, 4, 255]]))
    #expect(rgba == Image(width: 1, height: 2, channels: .rgba, bytes: [9, 8, 7, 0, 6, 5, 4, 255]))
    // Two bits a pixel: 0, 1, 2, 3 are four grays; and places in a palette.
    let narrow = try read(Self.png(width: 4, height: 1, depth: 2, color: 0, rows: [[0b00_01_10_11]]))
    #expect(narrow.bytes == [0, 85, 170, 255])
    let palette: [UInt8] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]
    let colors = try read(
      Self.png(width: 4, height: 1, depth: 2, color: 3, rows: [[0b11_00_01_10]], chunks: [("PLTE", palette)]))
    #expect(colors.channels == .rgb)
    #expect(colors.bytes == [100, 110, 120, 10, 20, 30, 40, 50, 60, 70, 80, 90])
    let clear = try read(
      Self.png(
        width: 2, height: 1, depth: 8, color: 3, rows: [[0, 1]],
        chunks: [("PLTE", Array(palette[..<6])), ("tRNS", [0, 255])]))
    #expect(clear.channels == .rgba && Array(clear.bytes[4...]) == [40, 50, 60, 255] && clear.bytes[3] == 0)
  }

  /// A palette of 16 colors, some of them clear, compressed, filtered and interlaced, against Pillow.
  @Test func readsWhatPillowReads() throws {
    let folder = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Fixtures/formats"
    let image = try PNG.read(path: "\(folder)/icon.png")
    let reference = try SafetensorsFile(path: "\(folder)/icon.safetensors").tensor("rgba")
    #expect(image.channels == .rgba && [image.height, image.width, 4] == Array(reference.shape))
    #expect(image.bytes == reference.array(of: UInt8.self))
    let gray = try SafetensorsFile(path: "\(folder)/icon.safetensors").tensor("gray").array(of: UInt8.self)
    for (ours, theirs) in zip(image.converted(to: .gray).bytes, gray) { #expect(abs(Int(ours) - Int(theirs)) <= 1) }
  }

  @Test(arguments: Image.Channels.allCases) func writesWhatItReads(_ channels: Image.Channels) throws {
    var random = RandomSource(seed: 1)
    let bytes = (0..<17 * 9 * channels.rawValue).map { _ in UInt8.random(in: 0...255, using: &random) }
    let image = Image(width: 17, height: 9, channels: channels, bytes: bytes)
    #expect(try read(PNG.data(image)) == image)
  }

  @Test func refusesWhatIsDamaged() throws {
    let good = Self.png(width: 3, height: 2, color: 2, rows: Array(repeating: Array(repeating: 7, count: 9), count: 2))
    _ = try read(good)
    for count in 0..<good.count - 12 {  // without IEND all pixels are there
      #expect(throws: ImageError.self, "\(count) bytes") { try read(Array(good[..<count])) }
    }
    var flipped = good
    flipped[good.count - 25] ^= 0x55
    #expect { try read(flipped) } throws: { "\($0)".contains("test.png: corrupt PNG") }
    #expect { try read(Array("GIF89a".utf8)) } throws: { "\($0)".contains("not a PNG file") }
    // A header that claims more than memory.
    for (width, height) in [(0x7FFF_FFFF, 0x7FFF_FFFF), (1 << 20, 1 << 10), (0, 5)] {
      let bomb = Self.png(width: width, height: height, color: 2, rows: [[1, 2, 3]])
      #expect { try read(bomb) } throws: { "\($0)".contains("pixels; at most") }
    }
    let deep = Self.png(width: 1, height: 1, depth: 16, color: 0, rows: [[1, 2]])
    #expect { try read(deep) } throws: { "\($0)".contains("16 bits per channel") }
  }

  /// Flipped bytes at every place: an image or an error, never a trap.
  @Test func survivesFlippedBytes() {
    let good = Self.png(width: 5, height: 4, color: 6, rows: Array(repeating: Array(repeating: 7, count: 20), count: 4))
    var (accepted, refused) = (0, 0)
    for place in 0..<good.count {
      for mask in [0x01, 0x80, 0xFF] as [UInt8] {
        var bytes = good
        bytes[place] ^= mask
        if (try? read(bytes)) != nil { accepted += 1 } else { refused += 1 }
      }
    }
    #expect(refused > accepted)
  }

  @Test func converts() {
    let half = Image(width: 2, height: 1, channels: .rgba, bytes: [255, 0, 0, 255, 0, 0, 0, 0])
    #expect(half.converted(to: .rgb).bytes == [255, 0, 0, 255, 255, 255])
    #expect(half.converted(to: .rgb, background: 0).bytes == [255, 0, 0, 0, 0, 0])
    #expect(half.converted(to: .gray).bytes == [76, 255])
    let gray = Image(width: 1, height: 1, channels: .gray, bytes: [9])
    #expect(gray.converted(to: .rgba).bytes == [9, 9, 9, 255])
    let board = Image(width: 2, height: 2, channels: .gray, bytes: [0, 100, 100, 200])
    #expect(board.resized(width: 1, height: 1).bytes == [100])
    #expect(board.resized(width: 4, height: 2).bytes == [0, 0, 100, 100, 100, 100, 200, 200])
    let grid = Image.grid([board, board, board], columns: 2, gap: 1)
    #expect((grid.width, grid.height) == (5, 5))
    #expect(
      Array(grid.bytes[..<5]) == [0, 100, 255, 0, 100]
        && Array(grid.bytes[15...]) == [
          0, 100, 255, 255, 255, 100, 200, 255, 255, 255,
        ])
  }

  @Test func readsIDX() throws {
    func read(_ bytes: [UInt8]) throws -> Tensor {
      try bytes.withUnsafeBytes { (bytes) throws(ImageError) in try IDX.read(bytes, file: "t") }
    }
    let good: [UInt8] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]
    let images = try read(good)
    #expect(images.shape == [2, 1, 3] && images.array(of: UInt8.self) == [1, 2, 3, 4, 5, 6])
    for count in 0..<good.count { #expect(throws: ImageError.self) { try read(Array(good[..<count])) } }
    #expect { try read(good + [7]) } throws: { "\($0)".contains("t: 7 bytes of elements, but [2, 1, 3] requires 6") }
    #expect(throws: ImageError.self) { try read([0, 0, 13, 1, 0, 0, 0, 0]) }
    #expect(throws: ImageError.self) { try read([0, 0, 8, 4] + Array(repeating: 0xFF, count: 16)) }
    #expect(throws: ImageError.self) { try read([0, 0, 8, 0]) }
    #expect(throws: FileError.self) { try IDX.read(path: "/nowhere/images") }
    #expect(throws: FileError.self) { try PNG.read(path: "/nowhere/image.png") }
  }
}
