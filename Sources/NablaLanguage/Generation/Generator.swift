import NablaNN
import NablaTensor
import NablaText

/// Writes on from a prompt, one token at a time, `count` continuations at once.
///
/// ```swift
/// var generator = Generator(model, tokenizer: tokenizer, options: .init(temperature: 0.8), seed: 1)
/// try generator.run(prompt: "Once", maximumTokens: 100) { _, text in print(text, terminator: "") }
/// ```
public struct Generator {
  public let model: TransformerLM
  public let tokenizer: any Tokenizer
  public var options: SamplingOptions
  /// Text at which a continuation ends; it is not part of the result.
  public var stopStrings: [String] = []
  private var random: RandomSource

  public init(_ model: TransformerLM, tokenizer: any Tokenizer, options: SamplingOptions = .init(), seed: UInt64 = 1) {
    (self.model, self.tokenizer, self.options) = (model, tokenizer, options)
    random = RandomSource(seed: seed)
  }

  /// One continuation.
  public struct Completion: Sendable {
    public internal(set) var tokens: [Int32] = []
    public internal(set) var text = ""
    /// Why it ended.
    public internal(set) var reason = Reason.length
    public enum Reason: String, Sendable, Codable {
      /// As many tokens as asked for, or the end of the context.
      case length
      /// The token that ends a text.
      case endOfText
      case stopString
    }
  }

  /// - Parameters:
  ///   - prompt: empty for a text from its beginning.
  ///   - count: continuations, each drawn on its own.
  ///   - onText: called with the number of a continuation and text as it comes; text that may turn out to begin a stop
  ///     string is held back.
  /// - Throws: `TokenizerError` if the vocabulary cannot express the prompt; `GenerationError` if it fills the context.
  @discardableResult
  public mutating func run(
    prompt: String, maximumTokens: Int = 256, count: Int = 1,
    onText: (_ continuation: Int, _ text: String) -> Void = { _, _ in }
  ) throws -> [Completion] {
    var promptTokens = try tokenizer.encode(prompt)
    // A text begins after the end of the one before it.
    if promptTokens.isEmpty { promptTokens = [tokenizer.endOfText ?? 0] }
    let context = model.configuration.context
    guard promptTokens.count < context else {
      throw GenerationError.promptTooLong(tokens: promptTokens.count, context: context)
    }
    let length = min(maximumTokens, context - promptTokens.count)
    return withoutGradient {
      var sequences = (0..<count).map { _ in Sequence(tokenizer, stopStrings, random.split()) }
      let cache = model.makeCache(batch: count, capacity: promptTokens.count + length)
      var input = Tensor(
        (0..<count).flatMap { _ in promptTokens }, [count, promptTokens.count])
      for position in 0..<length {
        let hidden = model(input, cache: cache)
        let last = hidden.slice(input.shape[1] - 1..<input.shape[1], axis: 1)
        let logits = model.logits(last)
        let width = logits.shape.last!
        for i in sequences.indices where !sequences[i].isDone {
          let scores = UnsafeBufferPointer(start: logits.floats + i * width, count: width)
          let seen = promptTokens + sequences[i].completion.tokens
          let token = options.choose(from: scores, seen: seen, random: &sequences[i].random)
          let text = sequences[i].append(token, endOfText: tokenizer.endOfText)
          if !text.isEmpty { onText(i, text) }
        }
        if sequences.allSatisfy(\.isDone) || position == length - 1 { break }
        // A sequence that has ended goes on with its last token; what comes of it is not used.
        input = Tensor(sequences.map { $0.completion.tokens.last ?? 0 }, [count, 1])
      }
      for i in sequences.indices {
        let rest = sequences[i].finish()
        if !rest.isEmpty { onText(i, rest) }
      }
      return sequences.map(\.completion)
    }
  }

  /// One continuation as it grows.
  private struct Sequence {
    var completion = Completion()
    var random: RandomSource
    private(set) var isDone = false
    private var decoder: StreamingDecoder
    private let stopStrings: [String]
    /// Decoded text that has not been handed out: it may begin a stop string.
    private var held = ""

    init(_ tokenizer: any Tokenizer, _ stopStrings: [String], _ random: RandomSource) {
      decoder = StreamingDecoder(tokenizer)
      self.stopStrings = stopStrings.filter { !$0.isEmpty }
      self.random = random
    }

    /// Returns the text that is now certain.
    mutating func append(_ token: Int32, endOfText: Int32?) -> String {
      completion.tokens.append(token)
      if token == endOfText {
        isDone = true
        completion.reason = .endOfText
        return ""
      }
      held += decoder.append(token)
      return release()
    }

    mutating func finish() -> String {
      guard completion.reason != .stopString else { return "" }
      held += decoder.finish()
      let text = release()
      defer { held = "" }
      completion.text += held
      return text + held
    }

    /// Hands out what cannot belong to a stop string. Compares bytes: a Character may span the end of a stop string, as
    /// "\r\n" does that of "\r".
    private mutating func release() -> String {
      let bytes = Array(held.utf8)
      // The match that ends first is the one a reader would have met first.
      let matches = stopStrings.compactMap { bytes.firstRange(of: Array($0.utf8)) }
      if let match = matches.min(by: { ($0.upperBound, $0.lowerBound) < ($1.upperBound, $1.lowerBound) }) {
        isDone = true
        completion.reason = .stopString
        return hand(bytes[..<match.lowerBound], keeping: [])
      }
      // The longest tail that is the beginning of a stop string stays.
      let longest = min(bytes.count, (stopStrings.map(\.utf8.count).max() ?? 1) - 1)
      let kept = (0...longest).last { count in stopStrings.contains { $0.utf8.starts(with: bytes.suffix(count)) } } ?? 0
      return hand(bytes.dropLast(kept), keeping: bytes.suffix(kept))
    }

    private mutating func hand(_ text: ArraySlice<UInt8>, keeping rest: ArraySlice<UInt8>) -> String {
      let text = String(decoding: text, as: UTF8.self)
      held = String(decoding: rest, as: UTF8.self)
      completion.text += text
      return text
    }
  }
}

public enum GenerationError: Error, CustomStringConvertible, Sendable {
  case promptTooLong(tokens: Int, context: Int)

  public var description: String {
    switch self {
    case .promptTooLong(let tokens, let context):
      "the prompt has \(tokens) tokens and the model reads at most \(context), its answer included: shorten it"
    }
  }
}
