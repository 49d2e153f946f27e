import Glibc
import NablaFormats
import NablaTensor
import Testing

@Suite struct GGUFTests {
  private let file = fixture("all-types.gguf")

  @Test func readsMetadataThatTheGGUFPackageWrote() throws {
    let metadata = try GGUFFile(path: file).metadata
    #expect(metadata.members.first?.key == "general.architecture")
    #expect(try metadata.string("general.architecture") == "llama")
    #expect(metadata["test.uint8"] == .uint8(255) && metadata["test.int8"] == .int8(-128))
    #expect(metadata["test.uint16"] == .uint16(65535) && metadata["test.int16"] == .int16(-32768))
    #expect(metadata["test.uint32"] == .uint32(.max) && metadata["test.int32"] == .int32(.min))
    #expect(metadata["test.uint64"] == .uint64(.max) && metadata["test.int64"] == .int64(.min))
    #expect(metadata["test.float32"] == .float32(0.15625) && metadata["test.float64"] == .float64(1e-300))
    #expect(metadata["test.bool"] == .bool(true) && metadata["test.string"] == .string("naïve 名前 ∇"))
    #expect(try metadata.strings("test.strings") == ["a", "", "Ġthe", "é"])
    #expect(try metadata.integers("test.integers") == [1, -2, 3])
    #expect(try metadata.numbers("test.floats") == [0.5, -1.25])
    #expect(metadata["test.bools"]?.array?.bools() == [true, false, true])
    #expect(try metadata.array("test.strings").description == #"string[4]: "a", "", "Ġthe", "é""#)
  }

  @Test func readsTensorsThatTheGGUFPackageWrote() throws {
    let file = try GGUFFile(path: file)
    #expect(file.version == 3 && file.entries.count == 14)
    let entry = try file.entry("Q4_0")
    #expect(entry.type == .q4_0 && entry.shape == [3, 64] && entry.byteRange.count == 3 * 2 * 18)
    #expect(try file.entry("vector").shape == [5])
    let expected = try SafetensorsFile(path: fixture("all-types.safetensors")).tensors()
    for entry in file.entries where DType(entry.type) != nil {
      let tensor = try file.tensor(entry.name)
      let same = zip(tensor.array(), expected[entry.name]!.array()).allSatisfy { $0.bitPattern == $1.bitPattern }
      #expect(tensor.shape == expected[entry.name]!.shape && same, "\(entry.name)")
    }
  }

  /// The tensors of a file keep its mapping alive.
  @Test func tensorsOutliveTheFile() throws {
    let tensor = try GGUFFile(path: file).tensor("vector")
    #expect(tensor.array() == [0, 0.25, 0.5, 0.75, 1])
  }

  @Test func errorsNameFileAndKey() throws {
    let metadata = try GGUFFile(path: file).metadata
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(
      message { _ = try metadata.integer("llama.block_count") } == "\(file): key \"llama.block_count\": is missing")
    #expect(
      message { _ = try metadata.integer("test.string") }
        == "\(file): key \"test.string\": should be a non-negative integer, not the string \"naïve 名前 ∇\"")
    #expect(message { _ = try metadata.integer("test.int8") }.hasSuffix("not the int8 -128"))
    #expect(message { _ = try metadata.integer("test.uint64") }.hasSuffix("not the uint64 18446744073709551615"))
    #expect(message { _ = try metadata.strings("test.integers") }.contains("an array of strings"))
    #expect(message { _ = try metadata.integers("test.strings") }.contains("an array of integers"))
    #expect(message { _ = try metadata.bool("test.uint8") }.contains("true or false"))
    #expect(
      message { _ = try GGUFFile(path: file).entry("output.weight") }.hasSuffix("\"output.weight\": no such tensor"))
    #expect(try metadata.integer("none", default: 7) == 7)
  }

  /// Written back, the file's contents are the same bytes.
  @Test func writesWhatItRead() throws {
    let file = try GGUFFile(path: file)
    try withTemporaryFolder { folder in
      let path = "\(folder)/copy.gguf"
      let tensors = file.entries.map { entry in
        GGUFTensor(name: entry.name, shape: entry.shape, type: entry.type) { writer in
          try file.withBytes(of: entry) { try writer.write($0) }
        }
      }
      try GGUFFile.write(tensors, metadata: file.metadata, to: path)
      #expect(try readBytes(path) == readBytes(file.path))
    }
  }

  @Test func writesMetadataAndOtherAlignments() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.gguf"
      var metadata = GGUFMetadata()
      metadata["general.alignment"] = .uint32(64)
      metadata["a"] = .int32(1)
      metadata["b"] = .array(GGUFArray(["x", "yy"]))
      metadata["a"] = nil
      let one = GGUFTensor(name: "one", shape: [3], type: .i8, bytes: [1, 2, 3])
      let two = GGUFTensor(name: "two", shape: [], type: .f32, bytes: [0, 0, 128, 63])
      try GGUFFile.write([one, two], metadata: metadata, to: path)
      let file = try GGUFFile(path: path)
      #expect(file.metadata.members.map(\.key) == ["general.alignment", "b"])
      #expect(try file.metadata.strings("b") == ["x", "yy"])
      #expect(try file.entry("two").byteRange.lowerBound - file.entry("one").byteRange.lowerBound == 64)
      #expect(try file.tensor("two").item() == 1)
      #expect(throws: GGUFError.self) { try file.tensor("one") }
      let long = GGUFTensor(name: String(repeating: "n", count: 64), shape: [1], type: .i8, bytes: [0])
      #expect(throws: GGUFError.self) { try GGUFFile.write([long], metadata: metadata, to: path) }
    }
  }

  @Test(arguments: GGMLType.allCases) func sizes(_ type: GGMLType) {
    let (elements, bytes) = type.block
    #expect(type.byteCount(shape: [3, 2 * elements]) == 6 * bytes)
    #expect(type.byteCount(shape: []) == (elements == 1 ? bytes : nil))
    if elements > 1 { #expect(type.byteCount(shape: [elements, elements + 1]) == nil) }
    #expect(type.byteCount(shape: [Int.max, Int.max, elements]) == nil)
    #expect(type.byteCount(shape: [-1, elements]) == nil)
  }
}

/// The bytes of a GGUF file, right or wrong.
private struct Crafted {
  var bytes: [UInt8] = []

  init(version: UInt32 = 3, tensors: UInt64 = 0, keys: UInt64 = 0) {
    bytes = Array("GGUF".utf8)
    self.add(version)
    self.add(tensors)
    self.add(keys)
  }

  mutating func add<N: BitwiseCopyable>(_ number: N) { withUnsafeBytes(of: number) { bytes += $0 } }

  mutating func add(_ text: String, length: UInt64? = nil) {
    add(length ?? UInt64(text.utf8.count))
    bytes += text.utf8
  }

  /// - Parameter sizes: innermost first, as in the file.
  mutating func tensor(_ name: String, sizes: [UInt64] = [4], type: UInt32 = 0, offset: UInt64 = 0, rank: UInt32? = nil)
  {
    add(name)
    add(rank ?? UInt32(sizes.count))
    for size in sizes { add(size) }
    add(type)
    add(offset)
  }

  mutating func key(_ name: String, _ kind: UInt32) {
    add(name)
    add(kind)
  }

  mutating func data(_ count: Int) {
    while bytes.count % 32 != 0 { bytes.append(0) }
    bytes += [UInt8](repeating: 0, count: count)
  }
}

/// The parsed header of a file of these bytes.
private func header(_ bytes: [UInt8], _ file: String = "test.gguf") throws -> GGUFHeader {
  try bytes.withUnsafeBytes { try GGUFHeader($0, file: file) }
}

/// Files that a bad disk or a malicious writer makes.
@Suite struct HostileGGUFTests {
  /// A sparse file costs nothing on disk, so its length is no reason to copy an array out of it.
  @Test func refusesArraysLargerThanAnyVocabulary() throws {
    try withTemporaryFolder { folder in
      var file = Crafted(keys: 1)
      file.key("tokenizer.ggml.charsmap", 9)
      file.add(UInt32(0))
      file.add(UInt64(300 << 20))
      try AtomicFile.write(file.bytes, to: "\(folder)/a.gguf")
      #expect(truncate("\(folder)/a.gguf", 301 << 20) == 0)
      let error = #expect(throws: GGUFError.self) { try GGUFFile(path: "\(folder)/a.gguf") }
      #expect(error.map { "\($0)" }?.contains("arrays take more than 256 MiB") == true)
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let says: [String]
    let bytes: [UInt8]

    init(_ name: String, _ says: String..., bytes: () -> [UInt8]) {
      (testDescription, self.says, self.bytes) = (name, says, bytes())
    }
  }

  /// One key of the given kind with these bytes after it.
  private static func key(_ kind: UInt32, _ rest: [UInt8], padding: Int = 64) -> [UInt8] {
    var file = Crafted(keys: 1)
    file.key("k", kind)
    file.bytes += rest + [UInt8](repeating: 0, count: padding)
    return file.bytes
  }

  private static func bytes<N: BitwiseCopyable>(_ number: N) -> [UInt8] { withUnsafeBytes(of: number) { Array($0) } }

  /// One tensor and its data.
  private static func tensor(
    sizes: [UInt64] = [4], type: UInt32 = 0, offset: UInt64 = 0, rank: UInt32? = nil, data: Int = 16
  ) -> [UInt8] {
    var file = Crafted(tensors: 1)
    file.tensor("w", sizes: sizes, type: type, offset: offset, rank: rank)
    file.data(data)
    return file.bytes
  }

  private static func tensors(_ tensors: [(name: String, offset: UInt64)], data: Int) -> [UInt8] {
    var file = Crafted(tensors: UInt64(tensors.count))
    for tensor in tensors { file.tensor(tensor.name, offset: tensor.offset) }
    file.data(data)
    return file.bytes
  }

  private static func alignment(_ value: UInt32) -> [UInt8] {
    var file = Crafted(keys: 1)
    file.key("general.alignment", 4)
    file.add(value)
    return file.bytes
  }

  static let cases = [
    Case("empty", "not a GGUF file") { [] },
    Case("another format", "not a GGUF file") { Array("GGML and more of it".utf8) },
    Case("only the magic", "truncated") { Array("GGUF".utf8) },
    Case("version 1", "version 1 is not") { Crafted(version: 1).bytes },
    Case("version 4", "version 4 is not") { Crafted(version: 4).bytes },
    Case("version 0", "version 0 is not") { Crafted(version: 0).bytes },
    Case("big-endian", "big-endian") { Crafted(version: UInt32(3).byteSwapped).bytes },
    // Counts that would allocate the machine's memory.
    Case("keys", "18446744073709551615 keys are more") { Crafted(keys: .max).bytes },
    Case("keys, one too many", "2 keys") { Crafted(keys: 2).bytes + [UInt8](repeating: 0, count: 27) },
    Case("tensors", "1000000000000 tensors are more") { Crafted(tensors: 1_000_000_000_000).bytes },
    Case("key length", "bytes of a string") {
      var file = Crafted(keys: 1)
      file.add("k", length: .max)
      return file.bytes + [UInt8](repeating: 0, count: 64)
    },
    Case("string length", "\"k\"", "bytes of a string") { key(8, bytes(UInt64.max)) },
    Case("string length, one too long", "\"k\"", "65 bytes of a string") { key(8, bytes(UInt64(65))) },
    Case("array of too many numbers", "\"k\"", "elements") { key(9, bytes(UInt32(10)) + bytes(UInt64.max / 8)) },
    Case("array of too many strings", "\"k\"", "9 elements") { key(9, bytes(UInt32(8)) + bytes(UInt64(9))) },
    Case("string of an array beyond the end", "\"k\"", "bytes of a string") {
      key(9, bytes(UInt32(8)) + bytes(UInt64(2)) + bytes(UInt64.max - 7))
    },
    Case("array of arrays", "\"k\"", "arrays of arrays") { key(9, bytes(UInt32(9)) + bytes(UInt64(1))) },
    Case("array of an unknown type", "\"k\"", "unknown type 13") { key(9, bytes(UInt32(13)) + bytes(UInt64(1))) },
    Case("unknown type", "\"k\"", "unknown type 77") { key(77, []) },
    Case("boolean", "\"k\"", "not 0 or 1") { key(7, [2]) },
    Case("boolean in an array", "\"k\"", "not 0 or 1") {
      key(9, bytes(UInt32(7)) + bytes(UInt64(2)) + [1, 255])
    },
    Case("string that is not UTF-8", "\"k\"", "UTF-8") { key(8, bytes(UInt64(2)) + [0xC3, 0x28]) },
    Case("key that is not UTF-8", "name of key 1", "UTF-8") {
      var file = Crafted(keys: 1)
      file.add(UInt64(1))
      return file.bytes + [0xFF] + [UInt8](repeating: 0, count: 64)
    },
    Case("empty key", "empty") {
      var file = Crafted(keys: 1)
      file.key("", 0)
      return file.bytes + [0, 0, 0]
    },
    Case("value beyond the end", "\"key\"", "truncated") {
      var file = Crafted(keys: 1)
      file.key("key", 12)
      return file.bytes + [0, 0]
    },
    Case("key twice", "\"k\"", "twice") {
      var file = Crafted(keys: 2)
      for _ in 0..<2 {
        file.key("k", 0)
        file.bytes.append(1)
      }
      return file.bytes
    },
    Case("alignment 0", "general.alignment", "power of two") { alignment(0) },
    Case("alignment 4", "general.alignment", "power of two") { alignment(4) },
    Case("alignment 48", "general.alignment", "power of two") { alignment(48) },
    Case("alignment 2³¹", "general.alignment", "power of two") { alignment(1 << 31) },
    Case("alignment of a wrong type", "general.alignment", "uint64") {
      var file = Crafted(keys: 1)
      file.key("general.alignment", 10)
      file.add(UInt64(32))
      return file.bytes
    },
    Case("tensor twice", "\"w\"", "twice") { tensors([("w", 0), ("w", 32)], data: 64) },
    Case("tensor twice in Unicode", "twice") { tensors([("\u{E9}", 0), ("e\u{301}", 32)], data: 64) },
    Case("five dimensions", "\"w\"", "5 dimensions") { tensor(sizes: [1, 1, 1, 1, 4]) },
    Case("many dimensions", "\"w\"", "4294967295 dimensions") { tensor(rank: .max) },
    Case("dimension 0", "\"w\"", "dimension of 0") { tensor(sizes: [4, 0]) },
    Case("negative dimension", "\"w\"", "dimension of 18446744073709551615") { tensor(sizes: [4, .max]) },
    Case("product beyond 64 bits", "\"w\"", "larger than any memory") { tensor(sizes: [1 << 32, 1 << 32]) },
    Case("product that wraps to a small one", "\"w\"", "larger than any memory") {
      tensor(sizes: [1 << 62, 4, 1, 1])
    },
    Case("bytes beyond 64 bits", "\"w\"", "larger than any memory") { tensor(sizes: [1 << 62]) },
    Case("rows of broken blocks", "\"w\"", "Q4_0", "blocks of 32") { tensor(sizes: [48, 2], type: 2) },
    Case("scalar of blocks", "\"w\"", "blocks of 256") { tensor(sizes: [], type: 12) },
    Case("withdrawn type", "\"w\"", "unknown type 4") { tensor(type: 4) },
    Case("unknown type of tensor", "\"w\"", "unknown type 4294967295") { tensor(type: .max) },
    Case("beyond the end", "\"w\"", "truncated") { tensor(data: 15) },
    Case("no data", "\"w\"", "truncated") {
      var file = Crafted(tensors: 1)
      file.tensor("w")
      return file.bytes
    },
    Case("size just below the wrap of padding", "\"w\"", "truncated") { tensor(sizes: [UInt64(Int.max)], type: 24) },
    Case("misaligned", "\"w\"", "multiple of the alignment 32") { tensor(offset: 4, data: 64) },
    Case("offset wraps", "\"w\"", "multiple of the alignment") { tensor(offset: .max, data: 64) },
    Case("offset wraps, aligned", "\"w\"", "belong to no tensor") { tensor(offset: .max - 31, data: 64) },
    Case("hole", "\"w\"", "belong to no tensor") { tensor(offset: 32, data: 64) },
    Case("overlap", "overlaps") { tensors([("v", 0), ("w", 0)], data: 64) },
    Case("overlap in another order", "overlaps") { tensors([("v", 32), ("u", 0), ("w", 32)], data: 128) },
    Case("second beyond the end", "\"w\"", "truncated") { tensors([("v", 0), ("w", 32)], data: 47) },
    Case("second in missing padding", "\"w\"") { tensors([("v", 0), ("w", 32)], data: 16) },
  ]

  @Test(arguments: cases) func rejects(_ hostile: Case) throws {
    let error = try #require(throws: GGUFError.self) {
      try header(hostile.bytes, "bad.gguf")
    }
    for part in hostile.says + ["bad.gguf: "] {
      #expect(error.description.contains(part), "\(error.description)")
    }
  }

  /// What looks odd and is right: tensors in another order than their bytes, a missing last padding, no tensors at all.
  @Test func acceptsWhatTheFormatAllows() throws {
    #expect(try header(Crafted(version: 2).bytes).entries.isEmpty)
    let entries = try header(Self.tensors([("w", 32), ("v", 0)], data: 48)).entries
    #expect(entries.map(\.name) == ["w", "v"])
    #expect(entries[0].byteRange.lowerBound == entries[1].byteRange.lowerBound + 32)
    #expect(try header(Self.tensor(sizes: [], data: 4)).entries[0].shape == [])
    #expect(try header(Self.key(9, Self.bytes(UInt32(8)) + Self.bytes(UInt64(8)))).metadata.strings("k").count == 8)
  }

  @Test func everyTruncationIsNoticed() throws {
    let whole = try readBytes(fixture("all-types.gguf"))
    let end = try GGUFFile(path: fixture("all-types.gguf")).entries.map(\.byteRange.upperBound).max()!
    for count in 0..<end {
      #expect(throws: GGUFError.self) {
        try header(Array(whole[..<count]))
      }
    }
  }

  @Test func rejectsWhatIsNoFile() throws {
    try withTemporaryFolder { folder in
      #expect(throws: FileError(path: "\(folder)/none", operation: "open", code: 2)) {
        try GGUFFile(path: "\(folder)/none")
      }
      #expect(throws: FileError.self) { try GGUFFile(path: folder) }
      let (no, yes) = (try GGUFFile.isGGUF(folder), try GGUFFile.isGGUF(fixture("all-types.gguf")))
      #expect(!no && yes)
    }
  }
}
