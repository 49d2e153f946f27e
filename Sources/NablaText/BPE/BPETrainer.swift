import HeapModule

/// Learns the merges of a byte-level BPE vocabulary from text.
///
/// ```swift
/// let tokenizer = try BPETrainer(vocabularySize: 8_000).train([text])
/// ```
///
/// Repeats until the vocabulary is full: find the most frequent pair of adjacent symbols inside words, make it
/// a token, replace it everywhere (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1). Pair counts are kept up to
/// date in the words that a merge touches, and a heap gives the next pair, so that a merge costs what it changes.
///
/// Ties go to the pair with the smaller left id, then the smaller right id, which makes the result a function of
/// the text alone, and equal to that of Hugging Face's `tokenizers`.
public struct BPETrainer: Sendable {
  /// Final number of tokens: special tokens, the 256 bytes, and one per merge.
  public var vocabularySize: Int
  /// The minimum count of a pair to become a token.
  public var minimumFrequency: Int
  /// Special tokens, which get the first ids.
  public var specialTokens: [String]
  /// How text is split into words, which merges do not cross.
  public var preTokenizer: PreTokenizer

  public init(
    vocabularySize: Int, minimumFrequency: Int = 2, specialTokens: [String] = [SpecialToken.endOfText],
    preTokenizer: PreTokenizer = .gpt2
  ) {
    self.vocabularySize = vocabularySize
    self.minimumFrequency = minimumFrequency
    self.specialTokens = specialTokens
    self.preTokenizer = preTokenizer
  }

  /// Trains on `texts`. The vocabulary may be smaller than requested if the text runs out of pairs.
  ///
  /// - Parameters:
  ///   - texts: Merges never cross from one to the next.
  ///   - progress: Called now and then with the number of tokens found and requested.
  /// - Throws: ``TokenizerError/vocabularyTooSmall(requested:minimum:)`` or ``TokenizerError/emptyCorpus``.
  public func train(
    _ texts: some Sequence<String>, progress: ((_ found: Int, _ wanted: Int) -> Void)? = nil
  ) throws -> ByteLevelBPETokenizer {
    let minimum = 256 + specialTokens.count
    guard vocabularySize >= minimum else {
      throw TokenizerError.vocabularyTooSmall(requested: vocabularySize, minimum: minimum)
    }
    var counter = WordCounter()
    for text in texts { counter.add(text, cutBy: preTokenizer) }
    guard !counter.counts.isEmpty else { throw TokenizerError.emptyCorpus }

    var vocabulary = TrainingVocabulary(specialTokens: specialTokens)
    var words = TrainingWords(counter, idOfByte: vocabulary.idOfByte)
    var heap = Heap(words.takeCandidates())
    while vocabulary.count < vocabularySize, var top = heap.popMax() {
      let count = words.count(of: top.pair)
      if top.count != count {
        // Earlier merges took some of this pair's occurrences; it is pushed back with the remaining count.
        top.count = count
        heap.insert(top)
        continue
      }
      if count < max(1, minimumFrequency) { break }
      guard let id = vocabulary.merge(top.pair) else { continue }
      words.merge(top.pair, into: id, in: top.words)
      for candidate in words.takeCandidates() { heap.insert(candidate) }
      if vocabulary.count % 256 == 0 { progress?(vocabulary.count, vocabularySize) }
    }
    progress?(vocabulary.count, vocabularySize)
    return ByteLevelBPETokenizer(
      tokens: TokenTable(vocabulary.tokens), merges: vocabulary.finalMerges(),
      specialTokens: SpecialToken.numbered(specialTokens, from: 0),
      preTokenizers: [preTokenizer])
  }
}

/// A pair that may be merged, with the words that gained it since it was last listed.
struct MergeCandidate: Comparable {
  var pair: SymbolPair
  var count: Int
  var words: [Int32]

  /// More frequent is greater; among equals the smaller pair is.
  static func < (a: Self, b: Self) -> Bool {
    a.count != b.count ? a.count < b.count : b.pair < a.pair
  }

  static func == (a: Self, b: Self) -> Bool { a.count == b.count && a.pair == b.pair }
}

struct SymbolPair: Comparable, Hashable, Sendable {
  var left: Int32
  var right: Int32

  static func < (a: Self, b: Self) -> Bool { (a.left, a.right) < (b.left, b.right) }
}

/// The tokens found so far: special tokens, bytes in the order of ``ByteLevelAlphabet``, then merges.
struct TrainingVocabulary {
  private(set) var tokens: [[UInt8]]
  private(set) var idOfByte = [Int32](repeating: -1, count: 256)
  private var merges: [(pair: SymbolPair, id: Int32)] = []
  private var idOfToken: [[UInt8]: Int32] = [:]
  private let specialSpellings: Set<[UInt8]>

  init(specialTokens: [String]) {
    specialSpellings = Set(specialTokens.map { Array($0.utf8) })
    tokens = specialTokens.map { _ in [] }
    for byte in ByteLevelAlphabet.bytesInOrder {
      idOfByte[Int(byte)] = Int32(tokens.count)
      idOfToken[[byte]] = Int32(tokens.count)
      tokens.append([byte])
    }
  }

  var count: Int { tokens.count }

  /// The id of the token that `pair` makes; nil if that would equal a special token, which no text may become by
  /// merging. Two pairs can form the same token ("a" + "bc" and "ab" + "c"); it is listed once.
  mutating func merge(_ pair: SymbolPair) -> Int32? {
    let token = tokens[Int(pair.left)] + tokens[Int(pair.right)]
    if specialSpellings.contains(token) { return nil }
    let id = idOfToken[token] ?? Int32(tokens.count)
    if Int(id) == tokens.count {
      idOfToken[token] = id
      tokens.append(token)
    }
    merges.append((pair, id))
    return id
  }

  /// The merges in the order of their ranks. A pair that occurred again (its left or right token was formed again
  /// by another merge) has the rank of its last merge, as in Hugging Face's trainer.
  func finalMerges() -> BPEMerges {
    var last: [SymbolPair: Int] = [:]
    for (rank, merge) in merges.enumerated() { last[merge.pair] = rank }
    var final = BPEMerges(minimumCapacity: merges.count)
    for (rank, merge) in merges.enumerated() where last[merge.pair] == rank {
      _ = final.append(merge.pair.left, merge.pair.right, id: merge.id)
    }
    return final
  }
}
