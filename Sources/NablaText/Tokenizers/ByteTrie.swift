/// Byte strings with a number each, found by walking along a text: all that begin at a place, or the longest.
struct ByteTrie: Sendable {
  /// From a node and a byte to the next node.
  private var edges: PairTable<Int32>
  /// The number of the string that ends at each node, -1 where none does.
  private var values: [Int32] = [-1]
  private var isFirstByte = [Bool](repeating: false, count: 256)

  /// - Parameter byteCount: About how many bytes the strings have.
  init(byteCount: Int = 0) {
    edges = PairTable(minimumCapacity: byteCount, placeholder: -1)
  }

  var isEmpty: Bool { values.count == 1 }

  /// Adds `string`, which must not be empty. A string that is there already keeps its number.
  mutating func insert(_ string: some Sequence<UInt8>, _ value: Int32) {
    var node: Int32 = 0
    for byte in string {
      if node == 0 { isFirstByte[Int(byte)] = true }
      let key = PairTable<Int32>.key(node, Int32(byte))
      if let next = edges[key] {
        node = next
      } else {
        let next = Int32(values.count)
        values.append(-1)
        edges.set(key, next)
        node = next
      }
    }
    precondition(node != 0, "ByteTrie: an empty string")
    if values[Int(node)] < 0 { values[Int(node)] = value }
  }

  /// Calls `body` with the length and the number of every string that begins at `start`, the shortest first.
  @inline(__always)
  func forEachPrefix(
    of text: UnsafeBufferPointer<UInt8>, from start: Int, _ body: (_ length: Int, _ value: Int32) -> Void
  ) {
    var node: Int32 = 0
    var position = start
    while position < text.count, let next = edges[PairTable<Int32>.key(node, Int32(text[position]))] {
      node = next
      position &+= 1
      let value = values[Int(node)]
      if value >= 0 { body(position &- start, value) }
    }
  }

  func longestPrefix(of text: UnsafeBufferPointer<UInt8>, from start: Int) -> (length: Int, value: Int32)? {
    var longest: (length: Int, value: Int32)?
    forEachPrefix(of: text, from: start) { longest = ($0, $1) }
    return longest
  }

  /// The first place at or after `start` where a string begins, and the longest that begins there.
  func firstMatch(
    in text: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> (range: Range<Int>, value: Int32)? {
    if isEmpty { return nil }
    return isFirstByte.withUnsafeBufferPointer { isFirst in
      for position in start..<text.count where isFirst[Int(text[position])] {
        if let (length, value) = longestPrefix(of: text, from: position) {
          return (position..<(position + length), value)
        }
      }
      return nil
    }
  }
}
