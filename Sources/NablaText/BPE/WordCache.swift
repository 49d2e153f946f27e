/// Caches the ids of recent short words: text repeats its words, and a lookup costs far less than merging.
///
/// Direct-mapped: each word has one slot and a new entry replaces the old one, so memory is fixed. It lives for one
/// call of `encode` and is sized by the text, so that short texts do not pay for it.
struct WordCache: ~Copyable {
  /// Words of up to 15 bytes, with their length in the last byte: equal keys are equal words.
  struct Key: Equatable {
    var low: UInt64
    var high: UInt64
  }

  private struct Entry {
    var key: Key
    var count: Int32
    var ids: (Int32, Int32, Int32, Int32, Int32, Int32, Int32)
  }

  static let longestWord = 15
  private static let mostIDs = 7

  private let entries: UnsafeMutablePointer<Entry>
  private let mask: Int

  init(textLength: Int) {
    var size = 64
    while size < min(textLength / 16, 1 << 16) { size *= 2 }
    mask = size - 1
    entries = .allocate(capacity: size)
    entries.initialize(
      repeating: Entry(key: Key(low: 0, high: 0), count: 0, ids: (0, 0, 0, 0, 0, 0, 0)), count: size)
  }

  deinit { entries.deallocate() }

  /// The key of a word, or nil when it is too long to be cached.
  @inline(__always)
  static func key(_ word: UnsafeBufferPointer<UInt8>) -> Key? {
    let count = word.count
    if count > longestWord { return nil }
    let base = word.baseAddress!
    var low: UInt64 = 0
    var high: UInt64 = 0
    // Reads stay inside the word: overlapping loads when 4 or more bytes are there, single bytes otherwise.
    let raw = UnsafeRawPointer(base)
    if count >= 8 {
      low = raw.loadUnaligned(as: UInt64.self)
      if count > 8 {
        high = raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self) >> UInt64(8 * (16 - count))
      }
    } else if count >= 4 {
      low =
        UInt64(raw.loadUnaligned(as: UInt32.self))
        | UInt64(raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)) << UInt64(8 * (count - 4))
    } else {
      for i in 0..<count { low |= UInt64(base[i]) << UInt64(8 * i) }
    }
    return Key(low: low, high: high | UInt64(count) << 56)
  }

  @inline(__always)
  private func place(_ key: Key) -> UnsafeMutablePointer<Entry> {
    let mixed = (key.low &* 0x9E37_79B9_7F4A_7C15) ^ (key.high &* 0xC2B2_AE3D_27D4_EB4F)
    return entries + (Int(truncatingIfNeeded: (mixed ^ mixed >> 29) &* 0xBF58_476D_1CE4_E5B9 >> 40) & mask)
  }

  /// Appends the ids of the word to `ids` if they are known.
  @inline(__always)
  borrowing func append(_ key: Key, to ids: inout [Int32]) -> Bool {
    let entry = place(key)
    if entry.pointee.key != key { return false }
    let count = Int(entry.pointee.count)
    if count == 1 {
      ids.append(entry.pointee.ids.0)
    } else {
      withUnsafeBytes(of: entry.pointee.ids) {
        ids.append(contentsOf: $0.assumingMemoryBound(to: Int32.self).prefix(count))
      }
    }
    return true
  }

  borrowing func remember(_ key: Key, _ ids: some Collection<Int32>) {
    if ids.count > Self.mostIDs { return }
    let entry = place(key)
    entry.pointee.key = key
    entry.pointee.count = Int32(ids.count)
    withUnsafeMutableBytes(of: &entry.pointee.ids) { bytes in
      let slots = bytes.assumingMemoryBound(to: Int32.self)
      for (i, id) in ids.enumerated() { slots[i] = id }
    }
  }
}
