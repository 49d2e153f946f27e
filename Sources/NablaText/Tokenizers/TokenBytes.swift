/// The bytes of tokens by id, concatenated in one array: a vocabulary is two allocations.
struct TokenBytes: Sendable {
  private(set) var content: [UInt8] = []
  /// Where token `id` begins in `content`; one more entry than there are ids.
  private var starts: [Int32] = [0]

  init(minimumCapacity: Int = 0) { starts.reserveCapacity(minimumCapacity + 1) }

  /// One more than the largest id.
  var count: Int { starts.count - 1 }

  subscript(id: Int) -> ArraySlice<UInt8> { content[Int(starts[id])..<Int(starts[id + 1])] }

  /// As the subscript, without the cost of an array slice.
  @inline(__always)
  func bytes(of id: Int, in content: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: content[Int(starts[id])..<Int(starts[id + 1])])
  }

  @inline(__always)
  func start(of id: Int) -> Int { Int(starts[id]) }

  @inline(__always)
  func length(of id: Int) -> Int { Int(starts[id &+ 1] &- starts[id]) }

  func isEmpty(_ id: Int) -> Bool { length(of: id) == 0 }

  /// Whether the bytes of `text` from `start` on begin with those of a token.
  func isPrefix(_ id: Int, of text: UnsafeBufferPointer<UInt8>, from start: Int) -> Bool {
    text.count - start >= length(of: id) && text[start..<(start + length(of: id))].elementsEqual(self[id])
  }

  /// Gives the next id to `token`.
  mutating func append(_ token: some Collection<UInt8>) {
    content.append(contentsOf: token)
    starts.append(Int32(content.count))
  }

  /// Gives the next id to the bytes that `spelling` encodes; false, and nothing done, when it has a character that
  /// is not in ``ByteLevelAlphabet``.
  mutating func append(spelledInAlphabet spelling: UnsafeBufferPointer<UInt8>) -> Bool {
    guard ByteLevelAlphabet.append(spelling, to: &content) else { return false }
    starts.append(Int32(content.count))
    return true
  }
}
