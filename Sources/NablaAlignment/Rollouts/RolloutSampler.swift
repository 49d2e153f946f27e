import NablaLanguage
import NablaTensor
import NablaText

/// Samples completions with the trained weights, and as far as possible with the arithmetic of training.
public struct RolloutSampler: Sendable {
  public let tokenizer: any Tokenizer
  /// Tokens that end a completion.
  public let endTokens: Set<Int32>
  /// The maximum length of a completion in tokens, end token included.
  public var maximumTokens: Int
  /// The divisor of the logits. The distribution is not changed otherwise, so that its log-probabilities
  /// are those of training.
  public var temperature: Float

  public init(tokenizer: any Tokenizer, endTokens: Set<Int32>, maximumTokens: Int, temperature: Float) {
    precondition(maximumTokens > 0, "RolloutSampler: \(maximumTokens) tokens")
    (self.tokenizer, self.endTokens) = (tokenizer, endTokens)
    (self.maximumTokens, self.temperature) = (maximumTokens, temperature)
  }

  /// `count` completions of each prompt, prompt after prompt, without rewards. Each has its own random stream.
  ///
  /// - Throws: `GenerationError` for a prompt that the model cannot read.
  public func sample(
    _ prompts: [(number: Int, tokens: [Int32])], count: Int, from model: TransformerLM, random: inout RandomSource
  ) throws(GenerationError) -> [Rollout] {
    var requests: [GenerationRequest] = []
    for prompt in prompts {
      for _ in 0..<count {
        requests.append(
          GenerationRequest(
            TokenRequest(
              prompt: prompt.tokens, maximumTokens: maximumTokens, sampling: SamplingOptions(temperature: temperature),
              stopTokens: endTokens, random: random.split())))
      }
    }
    // A new core: another's prefix cache would come from the earlier weights.
    let core = InferenceCore(model, cacheType: model.computeType == .float32 ? .float32 : .bfloat16)
    let completions = try core.complete(requests, tokenizer: tokenizer)
    return completions.enumerated().map { i, completion in
      let prompt = prompts[i / count]
      return Rollout(
        prompt: prompt.number, promptTokens: prompt.tokens, tokens: completion.tokens,
        samplerLogProbabilities: completion.steps.map(\.samplingLogProbability),
        isTruncated: completion.reason != .endOfText, text: completion.text)
    }
  }
}
