import NablaText

/// A request for text: a prompt of tokens, and text options.
public struct GenerationRequest: Sendable {
  public var tokens: TokenRequest
  /// Text at which the completion ends; it is not part of the result.
  public var stopStrings: [String]
  /// Whether the text continues the prompt's, so that a space before its first word belongs to it; false for a
  /// chat answer.
  public var continuesText: Bool

  public init(_ tokens: TokenRequest, stopStrings: [String] = [], continuesText: Bool = false) {
    (self.tokens, self.stopStrings, self.continuesText) = (tokens, stopStrings, continuesText)
  }
}

extension InferenceCore {
  /// Runs requests to completion, on the calling thread: for rollouts, whose log-probabilities are in the completions'
  /// ``Completion/steps``.
  ///
  /// - Parameters:
  ///   - requests: computed together, as many at a time as fit the cache.
  ///   - tokenizer: decodes the completions, and finds stop strings.
  ///   - onText: called with the number of a request and text as it is generated; text that may be the beginning of a
  ///     stop string is held back.
  /// - Throws: ``GenerationError`` of the first request that fails; no request is then active.
  public func complete(
    _ requests: [GenerationRequest], tokenizer: any Tokenizer,
    onText: (_ request: Int, _ text: String) -> Void = { _, _ in }
  ) throws(GenerationError) -> [Completion] {
    precondition(isDone, "InferenceCore.complete: other requests are active")
    for request in requests { try rules.check(request.tokens) }
    var numbers: [Int] = []
    for request in requests { numbers.append(try add(request.tokens)) }
    var writers = requests.map { CompletionWriter($0, tokenizer) }
    while !isDone {
      for step in self.step() {
        let index = step.request - numbers[0]
        switch step.result {
        case .success(let token):
          let text = writers[index].append(token, end: step.end, cachedCount: step.cachedCount)
          if !text.isEmpty { onText(index, text) }
          if writers[index].isDone, step.end == nil { end(step.request) }
        case .failure(let error):
          for number in numbers { end(number) }
          throw error
        }
      }
    }
    return writers.map(\.completion)
  }
}
