/// The distinct words of a corpus as symbols, with the count of every adjacent pair kept up to date.
struct TrainingWords {
  private var symbols: [Int32] = []
  private var starts: [Int] = []
  private var lengths: [Int32] = []
  private let frequencies: [Int]

  /// Index of each pair seen, into the two arrays below.
  private var indexOfPair = PairTable<Int32>(minimumCapacity: 1 << 14, placeholder: -1)
  private var pairCounts: [Int] = []
  /// The words that gained the pair since the last ``takeCandidates()``, each once, in order.
  private var gained: [[Int32]] = []
  private var pairs: [SymbolPair] = []
  private var touched: [Int32] = []

  init(_ counter: WordCounter, idOfByte: [Int32]) {
    frequencies = counter.counts
    symbols.reserveCapacity(counter.bytes.count)
    for (word, range) in counter.ranges.enumerated() {
      starts.append(symbols.count)
      lengths.append(Int32(range.count))
      for byte in counter.bytes[range] { symbols.append(idOfByte[Int(byte)]) }
      for i in starts[word]..<(symbols.count - 1) {
        change(symbols[i], symbols[i + 1], by: frequencies[word], in: Int32(word))
      }
    }
  }

  func count(of pair: SymbolPair) -> Int {
    indexOfPair[PairTable<Int32>.key(pair.left, pair.right)].map { pairCounts[Int($0)] } ?? 0
  }

  /// The new pairs, each with the words to process.
  mutating func takeCandidates() -> [MergeCandidate] {
    var candidates: [MergeCandidate] = []
    for index in touched.map(Int.init) {
      if pairCounts[index] > 0 {
        candidates.append(MergeCandidate(pair: pairs[index], count: pairCounts[index], words: gained[index]))
      }
      gained[index] = []
    }
    touched.removeAll(keepingCapacity: true)
    return candidates
  }

  /// Replaces `pair` by `id`, from left to right, in the words listed.
  ///
  /// The count of `pair` itself is left alone, as in Hugging Face's trainer: a pair that occurs again later keeps
  /// its earlier count, too.
  mutating func merge(_ pair: SymbolPair, into id: Int32, in words: [Int32]) {
    for word in words {
      let start = starts[Int(word)]
      var length = Int(lengths[Int(word)])
      let frequency = frequencies[Int(word)]
      var read = 0
      var write = 0
      while read < length {
        let left = symbols[start + read]
        guard read + 1 < length, left == pair.left, symbols[start + read + 1] == pair.right else {
          symbols[start + write] = left
          read += 1
          write += 1
          continue
        }
        // What is before has been rewritten already; what follows has not, so a run such as "aaaa" first counts
        // (aa, a) and corrects it at the next pair.
        if write > 0 {
          let before = symbols[start + write - 1]
          change(before, left, by: -frequency, in: word)
          change(before, id, by: frequency, in: word)
        }
        if read + 2 < length {
          let after = symbols[start + read + 2]
          change(pair.right, after, by: -frequency, in: word)
          change(id, after, by: frequency, in: word)
        }
        symbols[start + write] = id
        write += 1
        read += 2
      }
      length = write
      lengths[Int(word)] = Int32(length)
    }
  }

  @inline(__always)
  private mutating func change(_ left: Int32, _ right: Int32, by amount: Int, in word: Int32) {
    let key = PairTable<Int32>.key(left, right)
    let index: Int
    if let known = indexOfPair[key] {
      index = Int(known)
      pairCounts[index] += amount
    } else {
      index = pairCounts.count
      indexOfPair.set(key, Int32(index))
      pairs.append(SymbolPair(left: left, right: right))
      pairCounts.append(amount)
      gained.append([])
    }
    if amount > 0, gained[index].last != word {
      if gained[index].isEmpty { touched.append(Int32(index)) }
      gained[index].append(word)
    }
  }
}
