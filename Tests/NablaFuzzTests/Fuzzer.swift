import Glibc
import Synchronization

/// In-process fuzzing by mutation: every input is made from a seed and a number, so that a failing one can be made again.
struct Fuzzer {
  let name: String
  /// Well-formed inputs to start from.
  let seeds: [[UInt8]]
  /// Words of the format: mutations put them in.
  let words: [[UInt8]]

  /// Runs `body` on `count` inputs, from number `first` on. What it throws is the parser doing its work; a trap ends the
  /// process with a message that names the input.
  ///
  /// - Returns: how many inputs were accepted.
  func run(count: Int, first: Int = 0, _ body: ([UInt8]) throws -> Void) -> Int {
    CrashReport.install()
    var accepted = 0
    for number in first..<first + count {
      CrashReport.begin(name, number)
      let input = input(number)
      do {
        try body(input)
        accepted += 1
      } catch {
        // Messages are made of what the input holds, and are read by someone.
        _ = String(describing: error)
      }
    }
    CrashReport.end()
    return accepted
  }

  /// The input with this number.
  func input(_ number: Int) -> [UInt8] {
    var random = SplitMix(state: UInt64(bitPattern: Int64(number)) &* 0x9E37_79B9_7F4A_7C15)
    for byte in name.utf8 { random.state = (random.state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var bytes = seeds.randomElement(using: &random)!
    // Mostly few changes, so that most of an input stays right and the damage reaches the inner checks.
    let changes = [1, 1, 1, 2, 2, 3, 4, 8].randomElement(using: &random)!
    for _ in 0..<changes { mutate(&bytes, using: &random) }
    return bytes
  }

  private func mutate(_ bytes: inout [UInt8], using random: inout SplitMix) {
    // The beginning is where counts and lengths stand.
    let bound = Bool.random(using: &random) ? bytes.count : min(bytes.count, 64)
    let position = Int.random(in: 0...bound, using: &random)
    let end = min(bytes.count, position + Int.random(in: 0...32, using: &random))
    switch Int.random(in: 0..<12, using: &random) {
    case 0 where position < bytes.count: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1 where position < bytes.count: bytes[position] = .random(in: 0...255, using: &random)
    case 2 where position < bytes.count: bytes[position] &+= Bool.random(using: &random) ? 1 : 255
    case 3: bytes.removeSubrange(position..<end)
    case 4: bytes.insert(contentsOf: bytes[position..<end], at: position)
    case 5: bytes.removeSubrange(position...)
    case 6, 7: overwrite(&bytes, at: position, with: integer(bytes.count, using: &random), width: 8)
    case 8: overwrite(&bytes, at: position, with: integer(bytes.count, using: &random), width: 4)
    case 9:
      // A splice: the head of this input and the tail of another, or of this one.
      let other = seeds.randomElement(using: &random)!
      bytes = Array(bytes[..<position]) + other[Int.random(in: 0...other.count, using: &random)...]
    case 10: bytes.insert(contentsOf: "\(integer(bytes.count, using: &random))".utf8, at: position)
    default: if let word = words.randomElement(using: &random) { bytes.insert(contentsOf: word, at: position) }
    }
  }

  private func overwrite(_ bytes: inout [UInt8], at position: Int, with integer: UInt64, width: Int) {
    withUnsafeBytes(of: integer.littleEndian) { source in
      for (index, byte) in source.prefix(width).enumerated() where position + index < bytes.count {
        bytes[position + index] = byte
      }
    }
  }

  /// A number near a limit: of the types, of the file, of small counts.
  private func integer(_ size: Int, using random: inout SplitMix) -> UInt64 {
    let bases: [UInt64] = [
      0, 1, 4, 32, 255, 256, 65535, 1 << 31, UInt64(UInt32.max), 1 << 32, 1 << 40, 1 << 61, 1 << 62, UInt64(Int64.max),
      1 << 63, .max, UInt64(size), UInt64(size / 2), UInt64(size / 8),
    ]
    return bases.randomElement(using: &random)! &+ [0, 0, 1, .max, 31, UInt64.max - 30].randomElement(using: &random)!
  }
}

/// A small deterministic generator (SplitMix64).
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

/// Says which input was being parsed when the process is ended by a signal.
enum CrashReport {
  /// The message to write; the handler may do nothing but write it.
  private nonisolated(unsafe) static let message = UnsafeMutablePointer<CChar>.allocate(capacity: 256)
  private nonisolated(unsafe) static var length = 0
  private static let isInstalled = Atomic(false)

  static func begin(_ name: String, _ number: Int) {
    let text =
      "fuzzing \(name): input \(number) crashes; NABLA_FUZZ_FIRST=\(number) NABLA_FUZZ_INPUTS=1 runs it alone\n"
    let bytes = Array(text.utf8.prefix(255))
    for (index, byte) in bytes.enumerated() { message[index] = CChar(bitPattern: byte) }
    length = bytes.count
  }

  static func end() { length = 0 }

  static func install() {
    guard isInstalled.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else { return }
    for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT, SIGFPE] { signal(number, reportCrash) }
  }

  static func write() {
    if length > 0 { _ = Glibc.write(STDERR_FILENO, message, length) }
  }
}

/// Writes the message, then lets the signal end the process as it would have.
private func reportCrash(_ number: Int32) {
  CrashReport.write()
  signal(number, SIG_DFL)
  raise(number)
}
