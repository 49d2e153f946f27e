import NablaLanguage
import NablaTensor
import NablaText

/// Samples completions with the weights that are trained, and as far as can be with the arithmetic of training.
public struct RolloutSampler: Sendable {
  public let tokenizer: any Tokenizer
  /// Tokens that end a completion.
  public let endTokens: Set<Int32>
  /// The most tokens of a completion, its end included.
  public var maximumTokens: Int
  /// What logits are divided by. No other change is made to the distribution, so that its logarithms are those that
  /// training computes.
  public var temperature: Float

  public init(tokenizer: any Tokenizer, endTokens: Set<Int32>, maximumTokens: Int, temperature: Float) {
    precondition(maximumTokens > 0, "RolloutSampler: \(maximumTokens) tokens")
    (self.tokenizer, self.endTokens) = (tokenizer, endTokens)
    (self.maximumTokens, self.temperature) = (maximumTokens, temperature)
  }

  /// `count` completions of each prompt, prompt after prompt, without rewards. Each draws from a stream of its own.
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
    // A core of its own: what another kept of prompts was computed with the weights of before.
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
