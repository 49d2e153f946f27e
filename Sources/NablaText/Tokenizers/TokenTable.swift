/// The tokens of a vocabulary as bytes, by id and by content.
///
/// Looking a token up neither allocates nor builds a string: loading a vocabulary of 150,000 tokens looks up a million.
/// Cache misses dominate, so work on many tokens is done in passes, each over all of
/// them, which overlaps the misses.
struct TokenTable: Sendable {
  /// The first token with the bytes of an earlier one; lookup finds the earlier one.
  private(set) var firstRepeated: Int?
  private let tokens: TokenBytes
  /// Open addressing: 1 more than the id of a token, or 0.
  private var slots: [Int32]
  /// Ids that lookup never finds, though they have bytes; few or none.
  private let hidden: Set<Int32>

  /// Hashes differ between runs, so that no file can be crafted to collide.
  private static let seed = UInt64.random(in: 0...UInt64.max)

  /// - Parameter hidden: Ids that have bytes but are not found by lookup.
  init(_ tokens: TokenBytes, hidden: Set<Int32> = []) {
    self.tokens = tokens
    self.hidden = hidden
    var size = 16
    while size < 2 * tokens.count { size *= 2 }
    slots = Array(repeating: 0, count: size)
    let hashes = tokens.content.withUnsafeBufferPointer { content in
      (0..<tokens.count).map { UInt32(truncatingIfNeeded: Self.hash(tokens.bytes(of: $0, in: content))) }
    }
    for id in 0..<tokens.count where !tokens.isEmpty(id) && !(hidden.contains(Int32(id))) {
      var slot = Int(hashes[id]) & (size - 1)
      while slots[slot] != 0, hashes[Int(slots[slot]) - 1] != hashes[id] || !isEqual(Int(slots[slot]) - 1, id) {
        slot = (slot + 1) & (size - 1)
      }
      if slots[slot] == 0 { slots[slot] = Int32(id + 1) } else if firstRepeated == nil { firstRepeated = id }
    }
  }

  /// The tokens in the order of their ids; empty where an id is not used.
  init(_ tokens: [[UInt8]]) {
    var bytes = TokenBytes(minimumCapacity: tokens.count)
    for token in tokens { bytes.append(token) }
    self.init(bytes)
  }

  /// One more than the largest id.
  var count: Int { tokens.count }

  func bytes(of id: Int) -> ArraySlice<UInt8> { tokens[id] }

  /// A trie of the tokens, for finding those that a text begins with.
  func trie() -> ByteTrie { ByteTrie(tokens) }

  /// Whether lookup of `token` finds `id`; `id` may be any number.
  @inline(__always)
  func has(_ id: Int, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
    id >= 0 && id < count && Self.isEqual(tokens, id, token) && (hidden.isEmpty || !hidden.contains(Int32(id)))
  }

  /// The id whose bytes are `token`, which must not be empty.
  @inline(__always)
  func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
    let mask = slots.count &- 1
    return slots.withUnsafeBufferPointer { slots in
      find(token, from: Int(truncatingIfNeeded: UInt32(truncatingIfNeeded: Self.hash(token))) & mask, slots)
    }
  }

  func id(of token: some Sequence<UInt8>) -> Int32? {
    Array(token).withUnsafeBufferPointer { $0.isEmpty ? nil : id(of: $0) }
  }

  /// The ids of concatenated tokens, given the end of each; -1 for those that are not tokens.
  func ids(of bytes: [UInt8], ends: [Int32]) -> [Int32] {
    let mask = slots.count &- 1
    let round = 512
    var ids = [Int32](repeating: -1, count: ends.count)
    var first = [Int](repeating: 0, count: round)
    var candidates = [Int32](repeating: 0, count: round)
    bytes.withUnsafeBufferPointer { bytes in
      func token(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[(index == 0 ? 0 : Int(ends[index &- 1]))..<Int(ends[index])])
      }
      slots.withUnsafeBufferPointer { slots in
        for start in stride(from: 0, to: ends.count, by: round) {
          let places = 0..<min(round, ends.count - start)
          for place in places {
            first[place] = Int(UInt32(truncatingIfNeeded: Self.hash(token(start + place)))) & mask
          }
          for place in places { candidates[place] = slots[first[place]] }
          for place in places {
            let (token, candidate) = (token(start + place), candidates[place] - 1)
            let isFound = candidate >= 0 && Self.isEqual(tokens, Int(candidate), token)
            ids[start + place] = isFound ? candidate : find(token, from: first[place], slots) ?? -1
          }
        }
      }
    }
    return ids
  }

  @inline(__always)
  private func find(_ token: UnsafeBufferPointer<UInt8>, from first: Int, _ slots: UnsafeBufferPointer<Int32>) -> Int32?
  {
    let mask = slots.count &- 1
    var slot = first
    while slots[slot] != 0 {
      if Self.isEqual(tokens, Int(slots[slot]) &- 1, token) { return slots[slot] &- 1 }
      slot = (slot &+ 1) & mask
    }
    return nil
  }

  @inline(__always)
  private static func isEqual(_ tokens: TokenBytes, _ id: Int, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
    tokens.content.withUnsafeBufferPointer { content in
      let (a, b) = (UnsafeRawBufferPointer(tokens.bytes(of: id, in: content)), UnsafeRawBufferPointer(token))
      if a.count != b.count { return false }
      var position = 0
      while a.count &- position > 8 {
        if word(a, at: position) != word(b, at: position) { return false }
        position &+= 8
      }
      return lastWord(a) == lastWord(b)
    }
  }

  private func isEqual(_ a: Int, _ b: Int) -> Bool {
    tokens.content.withUnsafeBufferPointer { Self.isEqual(tokens, a, tokens.bytes(of: b, in: $0)) }
  }

  /// Eight bytes at a time, multiplied and folded, as in wyhash.
  @inline(__always)
  private static func hash(_ token: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let raw = UnsafeRawBufferPointer(token)
    var hash = seed ^ UInt64(truncatingIfNeeded: raw.count)
    var position = 0
    while raw.count &- position > 8 {
      hash = mixed(hash ^ word(raw, at: position))
      position &+= 8
    }
    return mixed(hash ^ lastWord(raw))
  }

  @inline(__always)
  private static func word(_ raw: UnsafeRawBufferPointer, at position: Int) -> UInt64 {
    raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)
  }

  /// The last eight bytes, or all there are, some of them twice, without a loop over bytes.
  @inline(__always)
  private static func lastWord(_ raw: UnsafeRawBufferPointer) -> UInt64 {
    let count = raw.count
    if count >= 8 { return word(raw, at: count &- 8) }
    if count >= 4 {
      let first = raw.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
      let last = raw.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
      return UInt64(first) << 32 | UInt64(last)
    }
    if count == 0 { return 0 }
    return UInt64(raw[0]) << 16 | UInt64(raw[count >> 1]) << 8 | UInt64(raw[count &- 1])
  }

  @inline(__always)
  private static func mixed(_ value: UInt64) -> UInt64 {
    let product = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
  }
}
