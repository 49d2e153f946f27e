/// Which part of an example that is too long is kept.
public enum Truncation: String, Sendable, Codable, CaseIterable {
  /// The beginning: the end of the learned tokens is cut, and with it the end token.
  case keepStart = "keep-start"
  /// The end: the beginning of the prompt is cut. A token that begins every text (`<s>`) is kept.
  case keepEnd = "keep-end"
}

extension ExampleEncoder {
  /// The example within ``maximumLength``; nil when no learned token would be left.
  public func fitted(_ example: EncodedExample) -> EncodedExample? {
    guard let maximumLength, example.tokens.count > maximumLength else { return example }
    var result: EncodedExample
    switch truncation {
    case .keepStart: result = example.clipped(to: 0..<maximumLength)
    case .keepEnd: result = removingStart(example, example.tokens.count - maximumLength)
    }
    result.isTruncated = true
    return result.trained.isEmpty ? nil : result
  }

  /// The pair within ``maximumLength``, with one prompt still; nil when one side has nothing left to learn, or both
  /// become the same.
  public func fitted(_ pair: EncodedPair) -> EncodedPair? {
    guard let maximumLength, case let longest = max(pair.chosen.tokens.count, pair.rejected.tokens.count),
      longest > maximumLength
    else { return pair }
    var result: EncodedPair
    switch truncation {
    case .keepStart:
      guard let chosen = fitted(pair.chosen), let rejected = fitted(pair.rejected) else { return nil }
      result = EncodedPair(chosen: chosen, rejected: rejected, place: pair.place)
    case .keepEnd:
      let excess = longest - maximumLength
      // The completions stay whole: the same number of tokens is removed from both prompts.
      if excess >= pair.chosen.promptCount - keptBeginning(pair.chosen) { return nil }
      result = EncodedPair(
        chosen: removingStart(pair.chosen, excess), rejected: removingStart(pair.rejected, excess), place: pair.place)
      result.chosen.isTruncated = true
      result.rejected.isTruncated = true
    }
    return result.chosen.tokens == result.rejected.tokens && pair.chosen.tokens != pair.rejected.tokens ? nil : result
  }

  /// The number of tokens at the beginning that are always kept.
  private func keptBeginning(_ example: EncodedExample) -> Int {
    let prefix = tokenizer.template.prefix
    return !prefix.isEmpty && example.tokens.starts(with: prefix) ? prefix.count : 0
  }

  private func removingStart(_ example: EncodedExample, _ count: Int) -> EncodedExample {
    let kept = min(keptBeginning(example), example.tokens.count - count)
    // One more token is kept if a beginning is restored, so that the first learned token has a predecessor.
    var result = example.clipped(to: (count + max(kept - 1, 0))..<example.tokens.count)
    if kept > 0 {
      result.tokens.replaceSubrange(0..<1, with: example.tokens[..<kept])
      result.trained = result.trained.map { ($0.lowerBound + kept - 1)..<($0.upperBound + kept - 1) }
      result.promptCount = max(0, example.promptCount - count)
    }
    return result
  }
}
