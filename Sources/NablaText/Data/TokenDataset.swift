/// A long sequence of token ids in memory: 2 bytes per token if the vocabulary fits in 65,536, otherwise 4.
///
/// Splitting shares the memory.
public struct TokenDataset: Sendable {
  private enum Storage: Sendable {
    case narrow([UInt16])
    case wide([Int32])
  }

  private let storage: Storage
  private let range: Range<Int>

  /// - Parameters:
  ///   - tokens: A text, or several with end-of-text tokens between them.
  ///   - vocabularySize: The number of ids; every token must be below it.
  public init(_ tokens: [Int32], vocabularySize: Int) {
    if let bad = tokens.firstIndex(where: { $0 < 0 || Int($0) >= vocabularySize }) {
      preconditionFailure(
        "TokenDataset: token \(tokens[bad]) at \(bad) is not below the vocabulary size \(vocabularySize)")
    }
    storage = vocabularySize <= 1 << 16 ? .narrow(tokens.map(UInt16.init)) : .wide(tokens)
    range = tokens.indices
  }

  private init(storage: Storage, range: Range<Int>) {
    self.storage = storage
    self.range = range
  }

  public var count: Int { range.count }

  public subscript(index: Int) -> Int32 {
    precondition(index >= 0 && index < count, "TokenDataset: index \(index) is outside 0..<\(count)")
    return switch storage {
    case .narrow(let tokens): Int32(tokens[range.lowerBound + index])
    case .wide(let tokens): tokens[range.lowerBound + index]
    }
  }

  /// The tokens of `part`, counted from the start of this dataset.
  public subscript(part: Range<Int>) -> TokenDataset {
    precondition(part.lowerBound >= 0 && part.upperBound <= count, "TokenDataset: \(part) is outside 0..<\(count)")
    let start = range.lowerBound
    return TokenDataset(storage: storage, range: (start + part.lowerBound)..<(start + part.upperBound))
  }

  /// The head for training and the tail for validation, so that validation text is adjacent to training
  /// text at only one point. The training part has ⌊count · (1 − fraction)⌋ tokens.
  public func split(validationFraction: Double) -> (training: TokenDataset, validation: TokenDataset) {
    precondition((0..<1).contains(validationFraction), "split: the fraction \(validationFraction) is not in 0..<1")
    let cut = Int(Double(count) * (1 - validationFraction))
    return (self[0..<cut], self[cut..<count])
  }

  /// Bytes of text that the tokens of `part` represent, given those of each id (``Tokenizer/byteCounts()``).
  public func byteCount(of part: Range<Int>, _ byteCounts: [Int32]) -> Int {
    part.reduce(0) { $0 + Int(byteCounts[Int(self[$1])]) }
  }

  /// Writes the tokens `start..<start + destination.count` to `destination`.
  func copy(from start: Int, to destination: UnsafeMutableBufferPointer<Int32>) {
    precondition(start >= 0 && start <= count - destination.count, "TokenDataset: window at \(start) is outside")
    let first = range.lowerBound + start
    switch storage {
    case .narrow(let tokens):
      for i in destination.indices { destination[i] = Int32(tokens[first + i]) }
    case .wide(let tokens):
      for i in destination.indices { destination[i] = tokens[first + i] }
    }
  }
}

/// Bits per byte: the loss in a tokenizer-independent unit.
///
/// - Parameters:
///   - nats: The sum of −ln p over the tokens predicted.
///   - byteCount: Bytes of text that those tokens represent.
/// - Returns: nats / (byteCount · ln 2).
public func bitsPerByte(nats: Double, byteCount: Int) -> Double {
  nats / (Double(byteCount) * 0.693_147_180_559_945_309_4)
}
