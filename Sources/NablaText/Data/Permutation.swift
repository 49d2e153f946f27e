import NablaTensor

/// A shuffle of `0..<count` that is computed index by index, in constant memory.
///
/// A Feistel network with Philox as its round function permutes the next power of four; values outside the
/// range are permuted again until they fall inside (cycle walking; Black and Rogaway 2002, "Ciphers with arbitrary
/// finite domains"), which takes fewer than four passes on average.
package struct Permutation: Sendable {
  package let count: Int
  private let seed: UInt64
  private let stream: UInt64
  private let halfBits: Int

  package init(count: Int, seed: UInt64, stream: UInt64) {
    precondition(count > 0, "Permutation: count \(count) must be positive")
    self.count = count
    self.seed = seed
    self.stream = stream
    halfBits = max(1, (Int.bitWidth - (count - 1).leadingZeroBitCount + 1) / 2)
  }

  package subscript(index: Int) -> Int {
    precondition(index >= 0 && index < count, "Permutation: \(index) is outside 0..<\(count)")
    let mask = UInt64(1) << UInt64(halfBits) - 1
    var value = UInt64(index)
    repeat {
      var left = value >> UInt64(halfBits)
      var right = value & mask
      for round in UInt64(1)...8 {
        let mixed = philox(
          key: seed ^ stream &* 0x9E37_79B9_7F4A_7C15, counter: right, stream: stream & 0xFFFF_FFFF | round << 32)
        (left, right) = (right, left ^ (mixed & mask))
      }
      value = left << UInt64(halfBits) | right
    } while value >= UInt64(count)
    return Int(value)
  }
}
