/// A hash table from a pair of token ids to a small value, by open addressing with linear probing.
///
/// Merging looks up every adjacent pair of a text, so this is where tokenizing spends its time;
/// `Dictionary`, whose hash resists attacks, is several times slower here. The keys of a tokenizer's table are
/// its merges and their number is bounded, so a file crafted to collide only costs its user time.
struct PairTable<Value: BitwiseCopyable & Sendable>: Sendable {
  typealias Key = UInt64

  private struct Slot: Sendable, BitwiseCopyable {
    var key: Key
    var value: Value
  }

  /// No pair of ids (which are not negative) packs into this.
  private static var vacant: Key { .max }

  private var slots: [Slot]
  private let placeholder: Value
  private(set) var count = 0

  init(minimumCapacity: Int = 16, placeholder: Value) {
    var size = 16
    while 2 * size < 3 * minimumCapacity { size *= 2 }
    self.placeholder = placeholder
    slots = Array(repeating: Slot(key: Self.vacant, value: placeholder), count: size)
  }

  @inline(__always)
  static func key(_ left: Int32, _ right: Int32) -> Key {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private static func start(_ key: Key, mask: Int) -> Int {
    // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4); the upper bits are the well mixed ones.
    Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
  }

  @inline(__always)
  subscript(key: Key) -> Value? {
    slots.withUnsafeBufferPointer { slots in
      let mask = slots.count &- 1
      var index = Self.start(key, mask: mask)
      while true {
        let slot = slots[index]
        if slot.key == key { return slot.value }
        if slot.key == Self.vacant { return nil }
        index = (index &+ 1) & mask
      }
    }
  }

  /// Stores `value`, replacing the pair's old one.
  mutating func set(_ key: Key, _ value: Value) {
    if 3 * (count + 1) > 2 * slots.count { grow() }
    let index = insertionIndex(key)
    if slots[index].key == Self.vacant { count += 1 }
    slots[index] = Slot(key: key, value: value)
  }

  /// Stores `value` unless the pair has one; false when it has.
  mutating func insert(_ key: Key, _ value: Value) -> Bool {
    if 3 * (count + 1) > 2 * slots.count { grow() }
    let index = insertionIndex(key)
    if slots[index].key == key { return false }
    count += 1
    slots[index] = Slot(key: key, value: value)
    return true
  }

  /// Stores the value of each of `count` pairs, in order, up to the first that has one already; returns the index
  /// of that one.
  ///
  /// In rounds: probing the slots of many pairs at once overlaps their cache misses.
  mutating func insert(_ count: Int, _ entry: (Int) -> (key: Key, value: Value)) -> Int? {
    for first in stride(from: 0, to: count, by: 256) {
      let entries = (first..<min(first + 256, count)).map(entry)
      let present = slots.withUnsafeBufferPointer { slots in
        entries.map { slots[Self.start($0.key, mask: slots.count &- 1)].key }
      }
      for (place, (key, value)) in entries.enumerated() {
        if present[place] == key || !insert(key, value) { return first + place }
      }
    }
    return nil
  }

  private func insertionIndex(_ key: Key) -> Int {
    let mask = slots.count - 1
    var index = Self.start(key, mask: mask)
    while slots[index].key != key && slots[index].key != Self.vacant { index = (index + 1) & mask }
    return index
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Slot(key: Self.vacant, value: placeholder), count: old.count * 2)
    for slot in old where slot.key != Self.vacant { slots[insertionIndex(slot.key)] = slot }
  }
}
