import NablaFormats
import Testing

@Suite struct SafetensorsTests {
  /// Writes a file from a header and data, and opens it.
  private func open(header: String, data: Int = 0, length: UInt64? = nil) throws -> SafetensorsFile {
    try withTemporaryFolder { folder in
      let path = "\(folder)/t.safetensors"
      var bytes = withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { Array($0) }
      bytes += Array(header.utf8) + [UInt8](repeating: 1, count: data)
      try AtomicFile.write(bytes, to: path)
      return try SafetensorsFile(path: path)
    }
  }

  @Test func readsWhatHuggingFaceWrote() throws {
    let file = try SafetensorsFile(path: fixture("mixed.safetensors"))
    #expect(file.metadata == ["format": "pt"])
    #expect(
      file.entries.map(\.name)
        == ["tokens", "a.weight", "empty", "z.weight", "naïve/名前", "brain", "half", "bytes", "flag"])
    let entry = try file.entry("z.weight")
    #expect(entry.dtype == .float32 && entry.shape == [2, 3])
    let values = file.withBytes(of: entry) { bytes in
      (0..<6).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
    #expect(values == [0, 0.25, 0.5, 0.75, 1, 1.25])
    #expect(try file.entry("empty").shape == [0, 4])
    #expect(try file.entry("empty").byteRange.isEmpty)
    let flag = try file.entry("flag")
    #expect(flag.shape == [] && flag.dtype == .bool)
    #expect(file.withBytes(of: try file.entry("brain")) { Array($0) } == [0x80, 0x3F, 0x00, 0xC0, 0x20, 0x3E])
  }

  /// A header may be a hundred million bytes; what is made of it must stay far smaller than a tree of such a text.
  @Test func refusesAShapeOfMillionsOfZeros() {
    let zeros = String(repeating: "0,", count: 2_100_000) + "0"
    let error = #expect(throws: SafetensorsError.self) {
      try open(header: #"{"a":{"dtype":"F32","shape":[\#(zeros)],"data_offsets":[0,0]}}"#)
    }
    #expect(error.map { "\($0)" }?.contains("too many values") == true)
  }

  /// The same tensors, given in another order, give the reference library's file bit for bit.
  @Test func writesWhatHuggingFaceWrites() throws {
    let file = try SafetensorsFile(path: fixture("mixed.safetensors"))
    let tensors = file.entries.reversed().map { entry in
      SafetensorsTensor(
        name: entry.name, dtype: entry.dtype, shape: entry.shape, bytes: file.withBytes(of: entry) { Array($0) })
    }
    try withTemporaryFolder { folder in
      let path = "\(folder)/copy.safetensors"
      try SafetensorsFile.write(tensors, metadata: [("format", "pt")], to: path)
      #expect(try readBytes(path) == readBytes(fixture("mixed.safetensors")))
      #expect(try folderEntries(folder) == ["copy.safetensors"])
    }
  }

  @Test func writesAnEmptyFile() throws {
    try withTemporaryFolder { folder in
      try SafetensorsFile.write([], to: "\(folder)/none.safetensors")
      #expect(try SafetensorsFile(path: "\(folder)/none.safetensors").entries.isEmpty)
    }
  }

  @Test func acceptsWhatTheFormatAllows() throws {
    let file = try open(
      header:
        #"{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"z":{"dtype":"F32","shape":[3,0],"data_offsets":[2,2]}}   "#,
      data: 2)
    #expect(file.entries.map(\.name) == ["z", "a"] || file.entries.map(\.name) == ["a", "z"])
  }

  private static func entry(_ shape: String, _ offsets: String, _ dtype: String = "U8") -> String {
    #"{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  @Test(arguments: [
    (#"{"a":\#(entry("[4]", "[0,4]")),"a":\#(entry("[4]", "[4,8]"))}"#, 8, "twice"),
    ("{\"\u{E9}\":\(entry("[4]", "[0,4]")),\"e\u{301}\":\(entry("[4]", "[4,8]"))}", 8, "twice"),
    (#"{"a":\#(entry("[4]", "[0,4]")),"b":\#(entry("[4]", "[3,7]"))}"#, 7, "overlap"),
    (#"{"a":\#(entry("[4]", "[0,4]")),"b":\#(entry("[4]", "[5,9]"))}"#, 9, "no tensor"),
    (#"{"a":\#(entry("[4]", "[1,5]"))}"#, 5, "no tensor"),
    (#"{"a":\#(entry("[4]", "[0,4]"))}"#, 5, "truncated"),
    (#"{"a":\#(entry("[4]", "[0,4]"))}"#, 3, "truncated"),
    (#"{"a":\#(entry("[4]", "[4,0]"))}"#, 4, "data_offsets"),
    (#"{"a":\#(entry("[4]", "[0]"))}"#, 4, "data_offsets"),
    (#"{"a":\#(entry("[4]", "[-4,0]"))}"#, 4, "data_offsets"),
    (#"{"a":\#(entry("[4]", "[0,4.0]"))}"#, 4, "data_offsets"),
    (#"{"a":\#(entry("[4]", "[0,9223372036854775807]"))}"#, 4, "truncated"),
    (#"{"a":\#(entry("[5]", "[0,4]"))}"#, 4, "does not match"),
    (#"{"a":\#(entry("[-4]", "[0,4]"))}"#, 4, "non-negative"),
    (#"{"a":\#(entry("[4611686018427387904,4]", "[0,0]"))}"#, 0, "does not match"),
    (#"{"a":\#(entry("[9223372036854775807,9223372036854775807,0]", "[0,0]"))}"#, 0, "does not match"),
    (#"{"a":\#(entry("[3]", "[0,1]", "F4"))}"#, 1, "does not match"),
    (#"{"a":\#(entry("[4]", "[0,4]", "X8"))}"#, 4, "unknown dtype"),
    (#"{"a":{"dtype":"U8","shape":[4]}}"#, 4, "data_offsets"),
    (#"{"a":{"shape":[4],"data_offsets":[0,4]}}"#, 4, "dtype"),
    (#"{"a":3}"#, 4, "dtype"),
    (#"{"__metadata__":{"a":1}}"#, 0, "__metadata__"),
    (#"{"__metadata__":[]}"#, 0, "__metadata__"),
    ("[]", 0, "object"), (" {}", 0, "object"), ("{", 0, "byte 1"), ("", 0, "header length"),
  ])
  func rejects(header: String, data: Int, message: String) throws {
    let error = try #require(throws: SafetensorsError.self) { try open(header: header, data: data) }
    let description = error.description
    #expect(description.contains(message) && description.contains("t.safetensors"), "\(description)")
  }

  @Test(arguments: [3, 1 << 40, UInt64.max, UInt64(Int.max), 100_000_001])
  func rejectsHeaderLength(_ length: UInt64) {
    #expect(throws: SafetensorsError.self) { try open(header: "{}", length: length) }
  }

  @Test func rejectsShortAndMissingFiles() throws {
    try withTemporaryFolder { folder in
      for count in 0..<8 {
        try AtomicFile.write([UInt8](repeating: 0, count: count), to: "\(folder)/short")
        #expect(throws: SafetensorsError.self) { try SafetensorsFile(path: "\(folder)/short") }
      }
      #expect(throws: FileError(path: "\(folder)/none", operation: "open", code: 2)) {
        try SafetensorsFile(path: "\(folder)/none")
      }
      #expect(throws: FileError.self) { try SafetensorsFile(path: folder) }
    }
    let file = try SafetensorsFile(path: fixture("mixed.safetensors"))
    let error = #expect(throws: SafetensorsError.self) { try file.entry("lm_head.weight") }
    #expect(error?.tensor == "lm_head.weight" && error?.kind == .missingTensor)
  }

  @Test func everyTruncationIsNoticed() throws {
    let whole = try readBytes(fixture("mixed.safetensors"))
    try withTemporaryFolder { folder in
      let path = "\(folder)/cut"
      for count in stride(from: 0, to: whole.count, by: 7) {
        let writer = try FileWriter(path: path)
        try writer.write(Array(whole[..<count]))
        try writer.close(synchronizing: false)
        #expect(throws: (any Error).self) { try SafetensorsFile(path: path) }
      }
    }
  }

  /// Damaged files are rejected, or their tensors tile the data; nothing traps.
  @Test func survivesDamage() throws {
    let seed = try readBytes(fixture("mixed.safetensors"))
    var random = SplitMix(state: 3)
    var accepted = 0
    for index in 0..<20_000 {
      var bytes = mutate(seed, using: &random, alphabet: Array("{}[]\",:0123456789-".utf8))
      // Half the time the length is put right, so that the damage reaches the inner checks.
      if index % 2 == 0, let end = bytes.lastIndex(of: UInt8(ascii: "}")), end > 8 {
        withUnsafeBytes(of: UInt64(end - 7).littleEndian) { bytes.replaceSubrange(0..<8, with: $0) }
      }
      guard let header = try? bytes.withUnsafeBytes({ try SafetensorsHeader($0, file: "damaged") }) else { continue }
      accepted += 1
      let ranges = header.tensors.map(\.byteRange)
      #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
      #expect(ranges.allSatisfy { $0.lowerBound >= 8 && $0.upperBound <= bytes.count })
      #expect(ranges.last?.upperBound ?? bytes.count == bytes.count)
    }
    #expect(accepted > 200, "\(accepted)")
  }

  @Test func readsShards() throws {
    let folder = parentFolder(of: fixture("mixed.safetensors"))
    let model = try SafetensorsModel(path: folder)
    #expect(model.names == ["first", "second"] && model.files.count == 2)
    let found = try #require(model.find("second"))
    #expect(found.entry.shape == [3] && found.file.path.hasSuffix("model-00002-of-00002.safetensors"))
    #expect(model.find("third") == nil)
    #expect(try SafetensorsModel(path: fixture("mixed.safetensors")).files.count == 1)
    #expect(throws: SafetensorsError.self) { try SafetensorsModel(path: folder, baseName: "adapter_model") }
  }

  @Test(arguments: [
    (#"{"weight_map":{"a":"../secret.safetensors"}}"#, "plain file name"),
    (#"{"weight_map":{"a":"/etc/passwd"}}"#, "plain file name"),
    (#"{"weight_map":{"a":".."}}"#, "plain file name"), (#"{"weight_map":{"a":""}}"#, "plain file name"),
    (#"{"weight_map":{"a":"x\u0000y"}}"#, "plain file name"),
    (#"{"weight_map":{"a":1}}"#, "file name"), (#"{"weight_map":[]}"#, "weight_map"),
    (#"{"weight_map":{"a":"absent"}}"#, "cannot open"), (#"{"weight_map":{"a":"s","b":"s"}}"#, "\"b\": no such tensor"),
    (#"{"weight_map":{"a":"s","a":"s"}}"#, "twice"),
  ])
  func rejectsIndex(_ index: String, message: String) throws {
    try withTemporaryFolder { folder in
      try SafetensorsFile.write([.init(name: "a", dtype: .uint8, shape: [1], bytes: [0])], to: "\(folder)/s")
      try AtomicFile.write(index, to: "\(folder)/model.safetensors.index.json")
      let error = try #require(throws: (any Error).self) { try SafetensorsModel(path: folder) }
      #expect(String(describing: error).contains(message), "\(error)")
    }
  }
}
