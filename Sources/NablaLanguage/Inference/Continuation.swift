import NablaNN
import NablaTensor

/// A request as it grows. Unchecked: while threads sample tokens, each continuation belongs to one.
final class Continuation: @unchecked Sendable {
  let number: Int
  let request: TokenRequest
  let promptCount: Int
  /// The maximum number of its positions.
  let positions: Int
  private let limit: Int
  private var random: RandomSource
  private var history: SamplingOptions.History?
  /// Prompt and completion.
  private(set) var tokens: [Int32]
  /// How many of them the cache holds.
  var read = 0
  /// How many of the prompt's tokens were already cached.
  var cached = 0
  var sequence: KeyValueCache.Sequence?
  /// Requests with the same prompt, which wait until this one has prefilled it.
  var followers: [Continuation] = []
  /// The last sampled token, or why there is none.
  private(set) var chosen: Result<GeneratedToken, GenerationError>?
  private(set) var end: InferenceCore.End?

  var unread: Int { tokens.count - read }
  var isReadingPrompt: Bool { read < promptCount }
  var hasEnded: Bool {
    if case .failure = chosen { return true }
    return end != nil
  }

  init(_ number: Int, _ request: TokenRequest, rules: RequestRules) {
    (self.number, self.request) = (number, request)
    (tokens, promptCount, random) = (request.prompt, request.prompt.count, request.random)
    positions = rules.positions(request)
    limit = positions + 1 - promptCount
    history = request.sampling.hasPenalties ? .init(prompt: request.prompt) : nil
  }

  /// Samples the next token, and overwrites the logits.
  func choose(_ logits: Logits) {
    chosen = choice(logits)
    guard case .success(let token) = chosen else { return }
    tokens.append(token.token)
    history?.append(token.token)
    if request.stopTokens.contains(token.token) {
      end = .stopToken
    } else if tokens.count - promptCount >= limit {
      end = .length
    }
  }

  private func choice(_ logits: Logits) -> Result<GeneratedToken, GenerationError> {
    var logits = logits
    let highest = logits.best
    guard highest.isFinite else { return .failure(.notFinite(tensor: nil)) }
    // The logits are about to be overwritten: the log-probability of the sampled token is looked up afterward.
    let logProbabilities = request.logProbabilities.map { _ in logits.logProbabilities() }
    let best = request.logProbabilities.map { likeliest($0, logits, highest, logProbabilities!) } ?? []
    if let hook = request.logitHook {
      hook(&logits, tokens)
      guard logits.best.isFinite else { return .failure(.badLogitHook) }
    }
    let choice = request.sampling.choose(from: logits, history: history ?? .init(), random: &random)
    return .success(
      GeneratedToken(
        token: choice.token, logProbability: logProbabilities.map { $0[Int(choice.token)] },
        samplingLogProbability: choice.logProbability, best: best))
  }

  private func likeliest(
    _ count: Int, _ logits: Logits, _ highest: Float, _ logProbabilities: [Float]
  ) -> [(token: Int32, logProbability: Float)] {
    let count = Swift.min(count, logits.count)
    guard count > 0 else { return [] }
    // The threshold is lowered until there are enough logits.
    var reach: Float = 2
    while true {
      let least = reach > 1e4 ? -.infinity : highest - reach
      if let found = logits.indices(atLeast: least, limit: logits.count), found.count >= count || least == -.infinity {
        let named: [(token: Int32, logProbability: Float)] = found.map { ($0, logProbabilities[Int($0)]) }
        let sorted = named.sorted {
          $0.logProbability == $1.logProbability ? $0.token < $1.token : $0.logProbability > $1.logProbability
        }
        return Array(sorted.prefix(count))
      }
      reach *= 3
    }
  }
}
