/// A trie of numbered byte strings: finds all that begin at a position of a text, or the longest.
///
/// Nodes are in breadth-first order, so that a node is three numbers: its children are contiguous, in byte
/// order. Where only one string continues, there are no more nodes, and the rest of the string is compared.
struct ByteTrie: Sendable {
  private let strings: TokenBytes
  /// The byte that leads to each node; the first node is the root.
  private var bytes: [UInt8] = [0]
  /// The first child of each node, and at the end the number of nodes.
  private var firstChildren: [Int32] = []
  /// The string that ends at each node, or the only one that passes through it; -1 if there is neither.
  private var values: [Int32] = []
  private var isFirstByte = [Bool](repeating: false, count: 256)

  /// - Parameters:
  ///   - strings: The number of a string is its index. Empty ones are excluded, and of equals only the first is
  ///     included.
  ///   - isIncluded: Whether the string of this number is included.
  init(_ strings: TokenBytes = TokenBytes(), where isIncluded: (Int) -> Bool = { _ in true }) {
    self.strings = strings
    let included = (0..<strings.count).filter { !strings.isEmpty($0) && isIncluded($0) }.map(Int32.init)
    var sorter = PrefixSorter(included)
    var depth = 0
    var endOfLevel = 1
    var node = 0
    // The strings that pass through each node, as a range of the sorter's.
    var ranges = [0..<included.count]
    while node < ranges.count {
      if node == endOfLevel { (depth, endOfLevel) = (depth + 1, ranges.count) }
      let range = ranges[node]
      firstChildren.append(Int32(ranges.count))
      var value: Int32 = -1
      if range.count == 1, node > 0 {
        value = sorter.ids[range.lowerBound]
      } else if !range.isEmpty {
        sorter.sort(range, byByte: depth, of: strings)
        var start = range.lowerBound
        while start < range.upperBound {
          let key = sorter.keys[start]
          var end = start + 1
          while end < range.upperBound, sorter.keys[end] == key { end += 1 }
          if key < 0 {
            value = sorter.ids[start]
          } else {
            bytes.append(UInt8(key))
            ranges.append(start..<end)
          }
          start = end
        }
      }
      values.append(value)
      node += 1
    }
    firstChildren.append(Int32(ranges.count))
    for child in 1..<Int(firstChildren[1]) { isFirstByte[Int(bytes[child])] = true }
  }

  var isEmpty: Bool { values.count == 1 }

  /// Calls `body` with the length and the number of every string that begins at `start`, the shortest first.
  @inline(__always)
  func forEachPrefix(
    of text: UnsafeBufferPointer<UInt8>, from start: Int, _ body: (_ length: Int, _ value: Int32) -> Void
  ) {
    var node = 0
    var position = start
    while position < text.count, let next = child(of: node, by: text[position]) {
      node = next
      position &+= 1
      let value = values[node]
      if value < 0 { continue }
      let length = strings.length(of: Int(value))
      if length == position &- start {
        body(length, value)
      } else {
        if strings.isPrefix(Int(value), of: text, from: start) { body(length, value) }
        return
      }
    }
  }

  @inline(__always)
  private func child(of node: Int, by byte: UInt8) -> Int? {
    var (low, high) = (Int(firstChildren[node]), Int(firstChildren[node &+ 1]))
    while low < high {
      let middle = (low &+ high) >> 1
      if bytes[middle] < byte { low = middle &+ 1 } else { high = middle }
    }
    return low < Int(firstChildren[node &+ 1]) && bytes[low] == byte ? low : nil
  }

  func longestPrefix(of text: UnsafeBufferPointer<UInt8>, from start: Int) -> (length: Int, value: Int32)? {
    var longest: (length: Int, value: Int32)?
    forEachPrefix(of: text, from: start) { longest = ($0, $1) }
    return longest
  }

  /// The first position at or after `start` where a string begins, and the longest that begins there.
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

/// Sorts strings by one byte after another: a radix sort from the front.
private struct PrefixSorter {
  private(set) var ids: [Int32]
  /// By index in `ids`: the byte of the last sort key; -1, the least, for a string that had ended.
  private(set) var keys: [Int16]
  private var copy: [Int32]

  init(_ ids: [Int32]) {
    self.ids = ids
    copy = ids
    keys = Array(repeating: -1, count: ids.count)
  }

  /// Sorts a range of `ids` by the byte at `place`, stably.
  mutating func sort(_ range: Range<Int>, byByte place: Int, of strings: TokenBytes) {
    strings.content.withUnsafeBufferPointer { content in
      ids.withUnsafeMutableBufferPointer { ids in
        keys.withUnsafeMutableBufferPointer { keys in
          for index in range {
            let id = Int(ids[index])
            keys[index] = place < strings.length(of: id) ? Int16(content[strings.start(of: id) &+ place]) : -1
          }
          if range.count <= 32 {
            Self.insertionSort(ids, keys, range)
          } else {
            copy.withUnsafeMutableBufferPointer { Self.countingSort(ids, keys, $0, range) }
          }
        }
      }
    }
  }

  private static func insertionSort(
    _ ids: UnsafeMutableBufferPointer<Int32>, _ keys: UnsafeMutableBufferPointer<Int16>, _ range: Range<Int>
  ) {
    for index in range {
      let (id, key) = (ids[index], keys[index])
      var hole = index
      while hole > range.lowerBound, keys[hole &- 1] > key {
        (ids[hole], keys[hole]) = (ids[hole &- 1], keys[hole &- 1])
        hole &-= 1
      }
      (ids[hole], keys[hole]) = (id, key)
    }
  }

  private static func countingSort(
    _ ids: UnsafeMutableBufferPointer<Int32>, _ keys: UnsafeMutableBufferPointer<Int16>,
    _ copy: UnsafeMutableBufferPointer<Int32>, _ range: Range<Int>
  ) {
    // At index key + 1: how many have the key.
    var counts = [Int](repeating: 0, count: 257)
    for index in range { counts[Int(keys[index]) + 1] += 1 }
    // Where the next string of each key goes.
    var places = counts
    var start = range.lowerBound
    for key in places.indices {
      places[key] = start
      start += counts[key]
    }
    for index in range {
      let key = Int(keys[index]) + 1
      copy[places[key]] = ids[index]
      places[key] += 1
    }
    for index in range { ids[index] = copy[index] }
    start = range.lowerBound
    for (key, count) in counts.enumerated() {
      for index in start..<(start + count) { keys[index] = Int16(key - 1) }
      start += count
    }
  }
}
