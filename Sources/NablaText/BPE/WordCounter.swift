/// Counts the distinct words of a corpus, keeping each word's bytes once.
struct WordCounter {
  private(set) var bytes: [UInt8] = []
  /// Where each distinct word stands in `bytes`, in order of first appearance.
  private(set) var ranges: [Range<Int>] = []
  private(set) var counts: [Int] = []
  /// Open addressing: index of a word + 1, or 0. The hash is stored with it so that growing and most misses
  /// need not read the bytes.
  private var slots: [(hash: UInt32, word: UInt32)] = Array(repeating: (0, 0), count: 1024)

  /// Counts the words into which `preTokenizer` splits `text`.
  mutating func add(_ text: String, cutBy preTokenizer: PreTokenizer) {
    text.withUTF8Bytes { text in
      var start = 0
      while start < text.count {
        let end = preTokenizer.endOfWord(in: text, from: start)
        add(UnsafeBufferPointer(rebasing: text[start..<end]))
        start = end
      }
    }
  }

  private mutating func add(_ word: UnsafeBufferPointer<UInt8>) {
    let hash = Self.hash(word)
    let mask = slots.count - 1
    var index = Int(hash) & mask
    while slots[index].word != 0 {
      let found = Int(slots[index].word) - 1
      if slots[index].hash == hash, ranges[found].count == word.count, bytes[ranges[found]].elementsEqual(word) {
        counts[found] += 1
        return
      }
      index = (index + 1) & mask
    }
    ranges.append(bytes.count..<(bytes.count + word.count))
    bytes.append(contentsOf: word)
    counts.append(1)
    slots[index] = (hash, UInt32(counts.count))
    if 2 * counts.count > slots.count { grow() }
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: (0, 0), count: old.count * 2)
    let mask = slots.count - 1
    for slot in old where slot.word != 0 {
      var index = Int(slot.hash) & mask
      while slots[index].word != 0 { index = (index + 1) & mask }
      slots[index] = slot
    }
  }

  /// FNV-1a, 32 bits from 64.
  private static func hash(_ word: UnsafeBufferPointer<UInt8>) -> UInt32 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in word { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
  }
}
