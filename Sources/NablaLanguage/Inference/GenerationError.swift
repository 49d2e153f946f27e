import NablaTensor

public enum GenerationError: Error, CustomStringConvertible, Sendable, Equatable {
  case emptyPrompt
  case promptTooLong(tokens: Int, context: Int)
  case unknownToken(Int32, vocabulary: Int)
  /// The request could never run: prompt and completion need more cache than the limit.
  case cacheTooSmall(positions: Int, bytes: Int, budget: Int)
  /// A choice whose tokens are all part of the prompt's.
  case noTokens(of: String)
  /// The model's logits are NaN or infinite.
  case notFinite(tensor: String?)
  /// A logit hook left NaN, +∞, or -∞ for every token.
  case badLogitHook

  public var description: String {
    switch self {
    case .emptyPrompt: "the prompt is empty, and the model has no beginning-of-text token"
    case .promptTooLong(let tokens, let context):
      "the prompt has \(tokens) tokens, but the context is \(context), completion included: shorten the prompt"
    case .unknownToken(let token, let vocabulary):
      "the prompt has token \(token), but the model's vocabulary ends at \(vocabulary - 1): tokenizer and model do not "
        + "belong together"
    case .cacheTooSmall(let positions, let bytes, let budget):
      "prompt and completion may take \(positions) tokens, whose keys and values need \(bytes) bytes of memory, more "
        + "than the budget of \(budget): request fewer tokens, shorten the prompt, or use a cache of a "
        + "smaller type"
    case .noTokens(let choice):
      "the choice '\(choice)' adds no token to the prompt's: it cannot be scored"
    case .notFinite(let tensor?): "the model's logits are non-finite: its tensor \(tensor) contains NaN or infinities"
    case .notFinite(nil):
      "the model's logits are non-finite, though its weights are finite: the computation overflows"
    case .badLogitHook: "the logit hook leaves no token to sample: all of its logits are -∞, or one is NaN or +∞"
    }
  }
}

extension TransformerLM {
  /// The first parameter that contains NaN or an infinity.
  var firstNonFiniteParameter: String? {
    parameters().first { !$0.value.sumOfSquares().isFinite }?.name
  }
}
