import NablaFormats
import Testing

/// The data is from Python's gzip (Tests/Fixtures/generate/gzip_files.py).
@Suite struct GzipTests {
  /// What lines.txt.gz holds.
  static let lines = (0..<60_000).map { "line \($0 * $0 % 977)" }

  @Test func membersAreOneStream() throws {
    let bytes = try Gzip.readPossiblyCompressed(fixture("lines.txt.gz"))
    #expect(String(decoding: bytes, as: UTF8.self) == Self.lines.joined(separator: "\n") + "\n")
  }

  @Test func plainFilesStayAsTheyAre() throws {
    let path = fixture("model.safetensors.index.json")
    #expect(try Gzip.readPossiblyCompressed(path) == readBytes(path))
    let error = #expect(throws: GzipError.self) { try Gzip.readPossiblyCompressed(path, maximumByteCount: 5) }
    #expect(error?.problem == .tooLarge(limit: 5) && error?.file == path)
  }

  @Test func everyCutIsAnError() throws {
    let whole = try readBytes(fixture("mark.txt.gz"))
    #expect(throws: Never.self) { try Gzip.decompress(whole) }
    for count in 0..<whole.count {
      let error = #expect(throws: GzipError.self) { try Gzip.decompress(Array(whole[..<count])) }
      #expect(error?.problem == .truncated, "\(count) bytes")
    }
  }

  @Test func everyDamagedByteOfTheDataIsAnError() throws {
    let whole = try readBytes(fixture("mark.txt.gz"))
    // The header's 10 bytes have no checksum; everything after them is covered by one.
    for place in 10..<whole.count {
      var bytes = whole
      bytes[place] ^= 0x10
      #expect(throws: GzipError.self, "byte \(place)") { try Gzip.decompress(bytes) }
    }
  }

  @Test func whatFollowsMustBeAMember() throws {
    let whole = try readBytes(fixture("mark.txt.gz"))
    for (bytes, offset) in [(whole + [0, 1], whole.count), ([1, 2, 3], 0)] {
      let error = #expect(throws: GzipError.self) { try Gzip.decompress(bytes) }
      #expect(error?.problem == .notGzip && error?.offset == offset)
    }
    #expect(try Gzip.decompress(whole + [0, 0]) == Gzip.decompress(whole))
  }

  @Test func outputIsBounded() throws {
    let whole = try readBytes(fixture("mark.txt.gz"))
    let count = try Gzip.decompress(whole).count
    #expect(try Gzip.decompress(whole, maximumByteCount: count).count == count)
    let error = #expect(throws: GzipError.self) { try Gzip.decompress(whole, maximumByteCount: count - 1) }
    #expect(error?.problem == .tooLarge(limit: count - 1))
  }

  @Test func randomDamageNeverTraps() throws {
    let whole = try readBytes(fixture("lines.txt.gz"))
    var random = SplitMix(state: 5)
    for _ in 0..<100 {
      _ = try? Gzip.decompress(mutate(whole, using: &random, alphabet: [0x1F, 0x8B, 0]), maximumByteCount: 1 << 20)
    }
  }

  @Test func errorsNameTheFile() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/cut.gz"
      try AtomicFile.write(Array(try readBytes(fixture("mark.txt.gz")).prefix(20)), to: path)
      let error = #expect(throws: GzipError.self) { try Gzip.readPossiblyCompressed(path) }
      #expect(error?.description.hasPrefix("\(path): the gzip data ends prematurely at byte 20") == true)
    }
  }
}

@Suite struct LineReaderTests {
  private func lines(_ path: String, maximumLength: Int = 1 << 20) throws -> [String] {
    var reader = try LineReader(path: path, maximumLength: maximumLength)
    var lines: [String] = []
    while let line = try reader.next() {
      lines.append(String(decoding: line, as: UTF8.self))
      #expect(reader.number == lines.count)
    }
    return lines
  }

  @Test func linesAcrossBuffersAndMembers() throws {
    #expect(try lines(fixture("lines.txt.gz")) == GzipTests.lines)
  }

  @Test func marksAndLineEnds() throws {
    #expect(try lines(fixture("mark.txt.gz")) == ["one", "two", "", "last"])
  }

  @Test func plainFiles() throws {
    try withTemporaryFolder { folder in
      let long = String(repeating: "x", count: 700_000)
      for (content, expected) in [
        ("", []), ("\n", [""]), ("\u{FEFF}a\r\n\r\nb", ["a", "", "b"]), ("\(long)\nb\n", [long, "b"]),
      ] {
        try AtomicFile.write(content, to: folder + "/text")
        #expect(try lines(folder + "/text") == expected)
      }
      let error = #expect(throws: LineError.self) { try lines(folder + "/text", maximumLength: 1000) }
      #expect(error?.path == folder + "/text" && error?.line == 1 && error?.limit == 1000)
    }
  }
}
