import HeapModule

/// The merges of a BPE vocabulary and the procedure that applies them to one word.
///
/// Definition (Sennrich et al. 2016, arXiv:1508.07909, section 3.2): start from single bytes; while some neighboring
/// pair has a merge, merge the pair whose merge was learned first, the leftmost of equals.
struct BPEMerges: Sendable {
  struct Merge: Sendable, BitwiseCopyable {
    var rank: UInt32
    var id: Int32
  }

  /// The pairs in the order they were learned.
  private(set) var pairs: [(left: Int32, right: Int32)] = []
  private var table: PairTable<Merge>

  private static let noRank = UInt32.max
  /// Words up to this many symbols are merged by scanning for the lowest rank, which beats a heap for short
  /// words; longer ones use the heap, so that time stays O(n log n) for any text.
  private static let scanLimit = 48

  init(minimumCapacity: Int) {
    pairs.reserveCapacity(minimumCapacity)
    table = PairTable<Merge>(minimumCapacity: minimumCapacity, placeholder: Merge(rank: Self.noRank, id: -1))
  }

  /// Adds a pair and the id of the token it becomes; false if the pair already exists.
  ///
  /// - Parameter rank: For pairs that share a rank; otherwise it is the index of the pair.
  mutating func append(_ left: Int32, _ right: Int32, id: Int32, rank: UInt32? = nil) -> Bool {
    let merge = Merge(rank: rank ?? UInt32(pairs.count), id: id)
    guard table.insert(PairTable<Merge>.key(left, right), merge) else { return false }
    pairs.append((left, right))
    return true
  }

  /// The merges of `results`, learned in this order.
  ///
  /// - Parameters:
  ///   - sides: The left and the right token of each merge.
  ///   - results: The token that each forms.
  ///   - repeated: Set to the first merge whose pair has one already.
  init(sides: [Int32], results: [Int32], repeated: inout Int?) {
    self.init(minimumCapacity: results.count)
    pairs = results.indices.map { (sides[2 * $0], sides[2 * $0 + 1]) }
    repeated = table.insert(results.count) { rank in
      let key = PairTable<Merge>.key(sides[2 * rank], sides[2 * rank + 1])
      return (key, Merge(rank: UInt32(rank), id: results[rank]))
    }
  }

  /// The token that a pair, which has a merge, forms.
  func result(of pair: (left: Int32, right: Int32)) -> Int32 { merge(pair.left, pair.right).id }

  @inline(__always)
  private func merge(_ left: Int32, _ right: Int32) -> Merge {
    table[PairTable<Merge>.key(left, right)] ?? Merge(rank: Self.noRank, id: -1)
  }

  /// Merges `symbols` as far as possible, in place.
  func apply(to symbols: inout [Int32]) {
    if symbols.count < 2 { return }
    if symbols.count <= Self.scanLimit {
      let count = symbols.withUnsafeMutableBufferPointer { mergeByScanning($0) }
      symbols.removeLast(symbols.count - count)
    } else {
      mergeWithHeap(&symbols)
    }
  }

  /// Returns how many symbols remain at the front of `symbols`.
  private func mergeByScanning(_ symbols: UnsafeMutableBufferPointer<Int32>) -> Int {
    var count = symbols.count
    // merges[i]: the merge of the symbols i and i + 1.
    return withUnsafeTemporaryAllocation(of: Merge.self, capacity: count) { merges in
      for i in 0..<(count - 1) { merges.initializeElement(at: i, to: merge(symbols[i], symbols[i + 1])) }
      while count > 1 {
        var best = 0
        for i in 1..<(count - 1) where merges[i].rank < merges[best].rank { best = i }
        if merges[best].rank == Self.noRank { break }
        symbols[best] = merges[best].id
        count -= 1
        for i in (best + 1)..<count { symbols[i] = symbols[i + 1] }
        for i in best..<(count - 1) { merges[i] = merges[i + 1] }
        if best > 0 { merges[best - 1] = merge(symbols[best - 1], symbols[best]) }
        if best < count - 1 { merges[best] = merge(symbols[best], symbols[best + 1]) }
      }
      return count
    }
  }

  /// Symbols form a linked list; the heap holds (rank, position) of pairs, some of them out of date.
  private func mergeWithHeap(_ symbols: inout [Int32]) {
    let count = symbols.count
    precondition(count < Int(UInt32.max), "BPE: a word of \(count) bytes is too long")
    var next = (1...count).map(Int32.init(truncatingIfNeeded:))
    var previous = (-1..<(count - 1)).map(Int32.init(truncatingIfNeeded:))
    // current[i]: the merge of the pair that begins at i; a heap entry with another rank is out of date.
    var current = [Merge](repeating: Merge(rank: Self.noRank, id: -1), count: count)
    var entries: [UInt64] = []
    for i in 0..<(count - 1) {
      current[i] = merge(symbols[i], symbols[i + 1])
      if current[i].rank != Self.noRank { entries.append(UInt64(current[i].rank) << 32 | UInt64(i)) }
    }
    var heap = Heap(entries)
    while let entry = heap.popMin() {
      let i = Int(entry & 0xFFFF_FFFF)
      if current[i].rank != UInt32(entry >> 32) { continue }
      let removed = Int(next[i])
      symbols[i] = current[i].id
      current[removed].rank = Self.noRank
      next[i] = next[removed]
      if Int(next[i]) < count { previous[Int(next[i])] = Int32(i) }
      refresh(i, Int(next[i]))
      if previous[i] >= 0 { refresh(Int(previous[i]), i) }
    }
    var kept = 0
    var position = 0
    while position < count {
      symbols[kept] = symbols[position]
      kept += 1
      position = Int(next[position])
    }
    symbols.removeLast(count - kept)

    func refresh(_ left: Int, _ right: Int) {
      current[left] = right < count ? merge(symbols[left], symbols[right]) : Merge(rank: Self.noRank, id: -1)
      if current[left].rank != Self.noRank { heap.insert(UInt64(current[left].rank) << 32 | UInt64(left)) }
    }
  }
}
