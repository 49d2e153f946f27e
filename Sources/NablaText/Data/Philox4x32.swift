/// The counter-based generator Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"):
/// a function from a key and a counter to 128 random bits, without state.
package enum Philox4x32 {
  package typealias Words = (UInt32, UInt32, UInt32, UInt32)

  package static func random(counter: Words, key: (UInt32, UInt32)) -> Words {
    var (a, b, c, d) = counter
    var (k0, k1) = key
    for _ in 0..<10 {
      let p = a.multipliedFullWidth(by: 0xD251_1F53)
      let q = c.multipliedFullWidth(by: 0xCD9E_8D57)
      (a, b, c, d) = (q.high ^ b ^ k0, q.low, p.high ^ d ^ k1, p.low)
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (a, b, c, d)
  }

  /// 64 bits for a row of a step; `stream` keeps different uses of a seed apart.
  package static func random(key: UInt64, step: UInt64, row: UInt32, stream: UInt32) -> UInt64 {
    let words = random(
      counter: (UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32), row, stream),
      key: (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32)))
    return UInt64(words.1) << 32 | UInt64(words.0)
  }
}

/// A shuffle of `0..<count` that is computed place by place, in constant memory.
///
/// A Feistel network with ``Philox4x32`` as its round function permutes the next power of four; values outside the
/// range are sent through again until they fall inside (cycle walking; Black and Rogaway 2002, "Ciphers with arbitrary
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
      for round in 1...8 {
        let mixed = Philox4x32.random(
          key: seed ^ stream &* 0x9E37_79B9_7F4A_7C15, step: right, row: UInt32(truncatingIfNeeded: stream),
          stream: UInt32(round))
        (left, right) = (right, left ^ (mixed & mask))
      }
      value = left << UInt64(halfBits) | right
    } while value >= UInt64(count)
    return Int(value)
  }
}
