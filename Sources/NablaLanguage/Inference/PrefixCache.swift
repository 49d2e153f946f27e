import NablaNN

/// Finished sequences, for prompts with the same prefix: the next turns of many chats, and the
/// instructions that all of them share.
///
/// A plain list, the least recently used first. A prompt reuses the longest common prefix; entries that share
/// pages count them once, and one that is a prefix of another is not kept.
struct PrefixCache {
  private var entries: [(tokens: ArraySlice<Int32>, sequence: KeyValueCache.Sequence)] = []
  private let pages: Int
  /// Pages of all of them, those that they share counted once.
  private(set) var pageCount = 0

  init(pages: Int) { self.pages = pages }

  var isEmpty: Bool { entries.isEmpty }

  /// The sequence with the longest common prefix, which then counts as just used.
  mutating func longest(_ prompt: ArraySlice<Int32>) -> (sequence: KeyValueCache.Sequence, common: Int)? {
    let common = entries.map { commonPrefix($0.tokens, prompt) }
    guard let best = common.indices.max(by: { common[$0] < common[$1] }), common[best] > 0 else { return nil }
    let entry = entries.remove(at: best)
    entries.append(entry)
    return (entry.sequence, common[best])
  }

  /// Takes ownership of a sequence that holds `tokens`.
  mutating func insert(_ tokens: ArraySlice<Int32>, _ sequence: KeyValueCache.Sequence, _ cache: KeyValueCache) {
    let tokens = tokens.prefix(pages * KeyValueCache.pageLength)
    cache.truncate(sequence, to: tokens.count)
    if tokens.isEmpty || entries.contains(where: { $0.tokens.starts(with: tokens) }) { return cache.remove(sequence) }
    entries.removeAll { entry in
      let isContinued = tokens.starts(with: entry.tokens)
      if isContinued { cache.remove(entry.sequence) }
      return isContinued
    }
    entries.append((tokens, sequence))
    updateCount(cache)
    while pageCount > pages { removeOldest(cache) }
  }

  mutating func removeOldest(_ cache: KeyValueCache) {
    cache.remove(entries.removeFirst().sequence)
    updateCount(cache)
  }

  private mutating func updateCount(_ cache: KeyValueCache) {
    pageCount = cache.pageCount(of: entries.map(\.sequence))
  }

  mutating func removeAll(_ cache: KeyValueCache) {
    while !isEmpty { removeOldest(cache) }
  }
}

/// The length of the common prefix of two token sequences.
func commonPrefix(_ a: ArraySlice<Int32>, _ b: ArraySlice<Int32>) -> Int {
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      let count = Swift.min(a.count, b.count)
      return (0..<count).first { a[$0] != b[$0] } ?? count
    }
  }
}
