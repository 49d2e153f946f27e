import NablaFormats

extension Reward {
  /// 1 if a completion consists of the given elements in order, each once, and otherwise only whitespace:
  /// `<think>…</think> <answer>…</answer>`. Otherwise 0.
  public static func format(tags: [String] = ["think", "answer"]) -> Reward {
    Reward("format") { sample in
      var rest = sample.completion[...]
      for tag in tags {
        rest = rest.drop(while: \.isWhitespace)
        guard rest.hasPrefix("<\(tag)>") else { return 0 }
        rest = rest.dropFirst(tag.count + 2)
        guard let end = firstRange(of: "</\(tag)>", in: rest) else { return 0 }
        let content = rest[..<end.lowerBound]
        guard tags.allSatisfy({ firstRange(of: "<\($0)>", in: content) == nil }) else { return 0 }
        rest = rest[end.upperBound...]
      }
      return rest.allSatisfy(\.isWhitespace) ? 1 : 0
    }
  }

  /// 1 for completions whose number of tokens is in the range; beyond it the reward falls linearly to 0 at
  /// `tolerance` tokens outside.
  public static func length(_ range: ClosedRange<Int>, tolerance: Int = 0) -> Reward {
    Reward("length") { sample in
      let outside = max(range.lowerBound - sample.tokenCount, sample.tokenCount - range.upperBound, 0)
      if outside == 0 { return 1 }
      return tolerance == 0 ? 0 : max(0, 1 - Double(outside) / Double(tolerance))
    }
  }

  /// 1 if the regular expression (Swift's syntax) matches somewhere in the completion, otherwise 0.
  public static func regularExpression(_ pattern: String) throws(RewardError) -> Reward {
    do {
      _ = try Regex(pattern)
    } catch {
      throw .pattern(pattern, problem: "\(error)")
    }
    return Reward(batch: "regex") { samples in
      let regex = try Regex(pattern)
      return try samples.map { try regex.firstMatch(in: $0.completion) == nil ? 0 : 1 }
    }
  }

  /// 1 if the completion is one JSON value, an object or array, and nothing else; otherwise 0.
  public static func validJSON() -> Reward {
    Reward("json") { sample in
      switch try? JSONValue(parsing: sample.completion) {
      case .object, .array: 1
      default: 0
      }
    }
  }
}

/// The first occurrence of a text in another, compared by Unicode scalars.
private func firstRange(of needle: String, in text: Substring) -> Range<Substring.Index>? {
  let (wanted, scalars) = (Array(needle.unicodeScalars), text.unicodeScalars)
  var start = scalars.startIndex
  while start < scalars.endIndex {
    if scalars[start...].starts(with: wanted) {
      return start..<scalars.index(start, offsetBy: wanted.count)
    }
    start = scalars.index(after: start)
  }
  return nil
}
