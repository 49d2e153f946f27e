/// An example as tokens, and which of them are learned.
public struct EncodedExample: Sendable, Equatable {
  public var tokens: [Int32]
  /// The tokens in the loss, as ranges of `tokens` in order. The very first token is never one:
  /// nothing before it could predict it.
  public var trained: [Range<Int>]
  /// The number of prompt tokens at the beginning; 0 for text and whole chats.
  public var promptCount: Int
  /// Whether ``ExampleEncoder/fitted(_:)-(EncodedExample)`` removed tokens.
  public var isTruncated = false
  public var place: DatasetPlace?

  public init(tokens: [Int32], trained: [Range<Int>], promptCount: Int = 0, place: DatasetPlace? = nil) {
    var end = 1
    for range in trained {
      precondition(
        range.lowerBound >= end && range.upperBound <= tokens.count && !range.isEmpty,
        "EncodedExample: the trained range \(range) is empty, out of order or outside \(tokens.count) tokens")
      end = range.upperBound
    }
    self.tokens = tokens
    self.trained = trained
    self.promptCount = promptCount
    self.place = place
  }

  /// The number of tokens in the loss.
  public var trainedCount: Int { trained.reduce(0) { $0 + $1.count } }

  /// Whether each token is in the loss.
  public var lossMask: [Bool] {
    var mask = [Bool](repeating: false, count: tokens.count)
    for range in trained { for index in range { mask[index] = true } }
    return mask
  }

  /// The example without the tokens outside `kept`.
  func clipped(to kept: Range<Int>) -> EncodedExample {
    var result = self
    result.tokens = Array(tokens[kept])
    result.trained = trained.compactMap { range in
      let lower = max(range.lowerBound - kept.lowerBound, 1)
      let upper = min(range.upperBound, kept.upperBound) - kept.lowerBound
      return lower < upper ? lower..<upper : nil
    }
    result.promptCount = min(max(promptCount - kept.lowerBound, 0), kept.count)
    return result
  }
}

/// A preference pair as tokens: both begin with the same `promptCount` tokens.
public struct EncodedPair: Sendable, Equatable {
  public var chosen: EncodedExample
  public var rejected: EncodedExample
  public var place: DatasetPlace?

  public init(chosen: EncodedExample, rejected: EncodedExample, place: DatasetPlace? = nil) {
    precondition(
      chosen.promptCount == rejected.promptCount
        && chosen.tokens.prefix(chosen.promptCount) == rejected.tokens.prefix(rejected.promptCount),
      "EncodedPair: the prompts differ")
    (self.chosen, self.rejected, self.place) = (chosen, rejected, place)
  }

  public var prompt: ArraySlice<Int32> { chosen.tokens.prefix(chosen.promptCount) }
}
