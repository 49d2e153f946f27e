/// The tokens of a vocabulary as bytes, by id and by content.
///
/// All bytes stand in one array, and looking a token up neither allocates nor builds a string: loading a vocabulary of
/// 150,000 tokens looks up a million.
struct TokenTable: Sendable {
  /// Open addressing: 1 more than the id of a token, or 0.
  private var slots: [Int32]
  private var content: [UInt8] = []
  /// Where token `id` begins in `content`; one more entry than there are ids.
  private var starts: [Int32] = [0]
  private var used = 0
  /// Ids that are never found, though they have bytes; few or none.
  private var hidden: Set<Int32> = []

  /// Hashes differ between runs, so that no file can be made to collide.
  private static let seed = UInt64.random(in: 0...UInt64.max)

  init(minimumCapacity: Int) {
    var size = 16
    while size < 2 * minimumCapacity { size *= 2 }
    slots = Array(repeating: 0, count: size)
    starts.reserveCapacity(minimumCapacity + 1)
  }

  /// The tokens in the order of their ids; empty where an id is not used.
  init(_ tokens: [[UInt8]]) {
    self.init(minimumCapacity: tokens.count)
    for token in tokens { token.withUnsafeBufferPointer { _ = append($0) } }
  }

  /// One more than the largest id.
  var count: Int { starts.count - 1 }

  func bytes(of id: Int) -> ArraySlice<UInt8> { content[Int(starts[id])..<Int(starts[id + 1])] }

  /// Whether text can become the token `id`.
  func isFindable(_ id: Int) -> Bool { !hidden.contains(Int32(id)) && starts[id] < starts[id + 1] }

  /// Gives the next id to `token`. An id of no bytes, and one that is not `findable`, can be looked at but not found.
  /// Returns false when another id has the same bytes; that one is then found.
  mutating func append(_ token: UnsafeBufferPointer<UInt8>, findable: Bool = true) -> Bool {
    content.append(contentsOf: token)
    starts.append(Int32(content.count))
    if !findable { hidden.insert(Int32(count - 1)) }
    if token.isEmpty || !findable { return true }
    if 2 * (used + 1) > slots.count { grow() }
    let slot = place(token)
    if slots[slot] != 0 { return false }
    slots[slot] = Int32(count)
    used += 1
    return true
  }

  /// The id whose bytes are `token`, which must not be empty.
  @inline(__always)
  func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
    let found = slots[place(token)]
    return found == 0 ? nil : found - 1
  }

  func id(of token: some Sequence<UInt8>) -> Int32? {
    Array(token).withUnsafeBufferPointer { $0.isEmpty ? nil : id(of: $0) }
  }

  /// The slot that holds `token`, or the vacant one where it belongs.
  @inline(__always)
  private func place(_ token: UnsafeBufferPointer<UInt8>) -> Int {
    slots.withUnsafeBufferPointer { slots in
      content.withUnsafeBufferPointer { content in
        starts.withUnsafeBufferPointer { starts in
          let mask = slots.count &- 1
          var index = Int(truncatingIfNeeded: Self.hash(token)) & mask
          while slots[index] != 0 {
            let id = Int(slots[index]) &- 1
            let start = Int(starts[id])
            if Int(starts[id &+ 1]) &- start == token.count,
              UnsafeBufferPointer(rebasing: content[start..<start &+ token.count]).elementsEqual(token)
            {
              break
            }
            index = (index &+ 1) & mask
          }
          return index
        }
      }
    }
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: 0, count: old.count * 2)
    for entry in old where entry != 0 {
      let slot = bytes(of: Int(entry) - 1).withUnsafeBufferPointer { place($0) }
      slots[slot] = entry
    }
  }

  /// Eight bytes at a time, multiplied and folded.
  @inline(__always)
  private static func hash(_ token: UnsafeBufferPointer<UInt8>) -> UInt64 {
    let raw = UnsafeRawBufferPointer(token)
    var hash = seed ^ UInt64(truncatingIfNeeded: token.count)
    var position = 0
    while position &+ 8 <= raw.count {
      hash = mixed(hash ^ raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position &+= 8
    }
    var rest: UInt64 = 0
    while position < raw.count {
      rest = rest << 8 | UInt64(raw[position])
      position &+= 1
    }
    return mixed(hash ^ rest)
  }

  @inline(__always)
  private static func mixed(_ value: UInt64) -> UInt64 {
    let product = (value ^ 0xA076_1D64_78BD_642F).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
    return product.high ^ product.low
  }
}
