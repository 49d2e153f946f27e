/// All examples of a dataset as tokens, within the maximum length; those with nothing left to learn are dropped
/// and counted.
public struct EncodedDataset<Element: Sendable>: Sendable {
  public var elements: [Element]
  /// How many of the elements were truncated.
  public var truncatedCount = 0
  /// The locations of dropped examples, whose learned tokens all lie beyond the maximum length.
  public var dropped: [DatasetPlace] = []
}

extension ExampleEncoder {
  /// Encodes and truncates every example.
  ///
  /// - Throws: ``DatasetError`` that names the place, also for an example in which nothing is learned at any length.
  public func encode(_ dataset: Dataset) throws -> EncodedDataset<EncodedExample> {
    var result = EncodedDataset<EncodedExample>(elements: [])
    for example in dataset {
      let whole = try encode(example)
      if whole.trained.isEmpty { throw DatasetError(example.place, problem: Self.nothingToLearn) }
      if let fitted = fitted(whole) {
        result.elements.append(fitted)
        if fitted.isTruncated { result.truncatedCount += 1 }
      } else {
        result.dropped.append(example.place)
      }
    }
    return result
  }

  /// Encodes and truncates every preference pair.
  ///
  /// - Throws: ``DatasetError`` that names the place, also for a pair in which nothing is learned at any length.
  public func encodePairs(_ dataset: Dataset) throws -> EncodedDataset<EncodedPair> {
    var result = EncodedDataset<EncodedPair>(elements: [])
    for example in dataset {
      let whole = try encodePair(example)
      if whole.chosen.trained.isEmpty || whole.rejected.trained.isEmpty {
        throw DatasetError(example.place, problem: Self.nothingToLearn)
      }
      if let fitted = fitted(whole) {
        result.elements.append(fitted)
        if fitted.chosen.isTruncated || fitted.rejected.isTruncated { result.truncatedCount += 1 }
      } else {
        result.dropped.append(example.place)
      }
    }
    return result
  }

  static let nothingToLearn = "nothing to learn: no text or assistant turn"
}
