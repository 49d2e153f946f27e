import Glibc
import NablaFormats

/// Runs `body` with a fresh folder that is removed afterwards.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  var template = Array("/tmp/nabla-tests-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw FileError(path: "/tmp", operation: "create a folder in", code: errno) }
  let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  defer { try? removeTree(folder) }
  return try body(folder)
}

/// The path of a committed file that a reference library wrote (Tests/Fixtures/generate/formats.py).
func fixture(_ name: String, file: String = #filePath) -> String {
  "\(parentFolder(of: parentFolder(of: file)))/Fixtures/formats/\(name)"
}

func readBytes(_ path: String) throws -> [UInt8] { try MappedFile(path: path).withBytes { Array($0) } }

func readText(_ path: String) throws -> String { String(decoding: try readBytes(path), as: UTF8.self) }

/// A small deterministic generator (SplitMix64), so that a failing mutation can be found again.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Damages bytes as a bad disk or a malicious writer would: flips, overwrites, cuts, repeats, inserts.
func mutate(_ bytes: [UInt8], using random: inout SplitMix, alphabet: [UInt8]) -> [UInt8] {
  var bytes = bytes
  for _ in 0..<Int.random(in: 1...4, using: &random) {
    let position = Int.random(in: 0...bytes.count, using: &random)
    let end = min(bytes.count, position + Int.random(in: 0...12, using: &random))
    switch Int.random(in: 0..<6, using: &random) {
    case 0 where position < bytes.count: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1 where position < bytes.count: bytes[position] = .random(in: 0...255, using: &random)
    case 2: bytes.removeSubrange(position..<end)
    case 3: bytes.insert(contentsOf: bytes[position..<end], at: position)
    case 4: bytes.insert(alphabet.randomElement(using: &random)!, at: position)
    default: if position > 8 { bytes.removeSubrange(position...) }
    }
  }
  return bytes
}
