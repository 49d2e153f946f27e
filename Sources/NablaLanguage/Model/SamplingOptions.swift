import Glibc
import NablaTensor
import NablaTraining

/// How the next token is chosen from a model's logits.
public struct SamplingOptions: Configurable, Hashable {
  /// Logits are divided by it; 0 always takes the most likely token (greedy).
  public var temperature: Float = 0.8
  /// Only the k most likely tokens; 0 for all.
  public var topK = 0
  /// Only the most likely tokens whose probabilities sum to this (Holtzman et al. 2020); 1 for all.
  public var topP: Float = 1
  /// Only tokens at least this fraction as probable as the most likely (Nguyen et al. 2024); 0 for all.
  public var minP: Float = 0
  /// Positive logits of earlier tokens are divided by it, negative ones multiplied (Keskar et al. 2019);
  /// 1 for none.
  public var repetitionPenalty: Float = 1
  /// Subtracted from a token's logit for each time it was generated.
  public var frequencyPenalty: Float = 0
  /// Subtracted from a token's logit if it was generated.
  public var presencePenalty: Float = 0

  public init(
    temperature: Float = 0.8, topK: Int = 0, topP: Float = 1, minP: Float = 0, repetitionPenalty: Float = 1,
    frequencyPenalty: Float = 0, presencePenalty: Float = 0
  ) {
    (self.temperature, self.topK, self.topP, self.minP) = (temperature, topK, topP, minP)
    (self.repetitionPenalty, self.frequencyPenalty) = (repetitionPenalty, frequencyPenalty)
    self.presencePenalty = presencePenalty
  }

  public static let greedy = SamplingOptions(temperature: 0)

  public static let settings: [Setting<SamplingOptions>] = [
    Setting(
      "temperature", \.temperature, in: .nonNegative,
      "Sampling temperature: 0 is greedy, higher is more random"),
    Setting(
      "top-k", \.topK, in: .nonNegative, "Number of most likely tokens to sample from; 0 for all", valueName: "k"),
    Setting(
      "top-p", \.topP, in: SettingRange("above 0 and at most 1") { $0 > 0 && $0 <= 1 },
      "Total probability of the most likely tokens to sample from; 1 for all", valueName: "p"),
    Setting(
      "min-p", \.minP, in: .range(0...1),
      "Minimum probability of a token, relative to the most likely one; 0 for all", valueName: "p"),
    Setting(
      "repetition-penalty", \.repetitionPenalty, in: .positive,
      "Penalty on tokens of the prompt and the completion; 1 for none"),
    Setting(
      "frequency-penalty", \.frequencyPenalty, in: .finite,
      "Penalty per occurrence of a token in the completion, subtracted from its logit"),
    Setting(
      "presence-penalty", \.presencePenalty, in: .finite,
      "Penalty on tokens in the completion, subtracted from their logits"),
  ]

  /// The tokens that penalties apply to.
  public struct History: Sendable {
    /// Those of the prompt and of the completion.
    public private(set) var seen: Set<Int32>
    /// How often each was generated.
    public private(set) var generated: [Int32: Int] = [:]

    public init(prompt: some Sequence<Int32> = []) { seen = Set(prompt) }

    public mutating func append(_ token: Int32) {
      seen.insert(token)
      generated[token, default: 0] += 1
    }
  }

  var hasPenalties: Bool { repetitionPenalty != 1 || frequencyPenalty != 0 || presencePenalty != 0 }

  /// A token, and ln of the probability with which it was drawn: after penalties, temperature and truncation.
  public struct Choice: Sendable, Equatable {
    public let token: Int32
    public let logProbability: Float
  }

  /// Samples a token. The penalties come first, then temperature, top-k, top-p and min-p, in the order of Hugging
  /// Face's `generate`.
  ///
  /// - Parameters:
  ///   - logits: V numbers, which are overwritten.
  ///   - history: The tokens so far, for penalties.
  ///   - random: Draws one number, unless the temperature is 0.
  public func choose(from logits: Logits, history: History = .init(), random: inout RandomSource) -> Choice {
    penalize(logits, history)
    let best = logits.best
    // Non-finite logits give some token; callers check for them first.
    guard !best.isNaN else { return Choice(token: 0, logProbability: .nan) }
    if temperature == 0 { return Choice(token: Int32(logits.firstIndex(of: best) ?? 0), logProbability: 0) }
    let weights = logits.exponentiate(best: best, temperature: temperature)
    guard topK > 0 || topP < 1 || minP > 0 else {
      let token = logits.index(at: random.uniform() * weights.total, weights)
      return Choice(token: Int32(token), weight: logits.pointer[token], total: weights.total)
    }
    return draw(candidates(logits, total: weights.total), &random)
  }

  private func penalize(_ logits: Logits, _ history: History) {
    // Extreme penalties are clamped to the largest numbers, which still give probabilities.
    func bounded(_ logit: Float) -> Float {
      logit.isInfinite ? (logit > 0 ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude) : logit
    }
    if repetitionPenalty != 1 {
      for token in history.seen {
        let logit = logits.pointer[Int(token)]
        if logit == -.infinity { continue }  //masked, and stays so
        logits.pointer[Int(token)] = bounded(logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty)
      }
    }
    guard frequencyPenalty != 0 || presencePenalty != 0 else { return }
    for (token, count) in history.generated {
      if logits.pointer[Int(token)] == -.infinity { continue }
      logits.pointer[Int(token)] = bounded(
        logits.pointer[Int(token)] - bounded(frequencyPenalty * Float(count)) - presencePenalty)
    }
  }

  /// The tokens to sample from, the most likely first, with weights whose maximum is 1.
  private func candidates(_ weights: Logits, total: Double) -> [(token: Int32, weight: Float)] {
    var candidates = likeliest(weights) { candidates in
      if topK > 0 { return candidates.count >= topK }
      // The most likely tokens that sum to the probability are among them.
      return topP < 1 && candidates.reduce(0.0) { $0 + Double($1.weight) } >= Double(topP) * total
    }
    if topK > 0, topK < candidates.count { candidates.removeLast(candidates.count - topK) }
    if topP < 1 {
      let limit = Double(topP) * (topK > 0 ? candidates.reduce(0.0) { $0 + Double($1.weight) } : total)
      var sum = 0.0
      let kept = candidates.firstIndex { candidate in
        sum += Double(candidate.weight)
        return sum >= limit
      }
      if let kept { candidates.removeLast(candidates.count - kept - 1) }
    }
    let least = minP * (candidates.first?.weight ?? 0)
    candidates.removeAll { $0.weight < least }
    return candidates
  }

  /// The tokens with the largest weights in falling order, as many as `suffice`: sorting a whole vocabulary would
  /// take longer than a small model's step, so the threshold is lowered until there are enough.
  private func likeliest(
    _ weights: Logits, suffice: ([(token: Int32, weight: Float)]) -> Bool
  ) -> [(token: Int32, weight: Float)] {
    // With min-p alone the first threshold is the answer.
    let first: Float = topK > 0 || topP < 1 ? 0.05 : minP
    for threshold in [first, 2e-3, 1e-5, 1e-8, 0] {
      guard let indices = weights.indices(atLeast: threshold, limit: weights.count) else { continue }
      var candidates = indices.map { (token: $0, weight: weights.pointer[Int($0)]) }
      // Tokens removed by min-p need not be sorted; but top-p after top-k counts all of the k.
      let isBelowMinP = minP > 0 && threshold <= minP && !(topK > 0 && topP < 1)
      guard threshold == 0 || isBelowMinP || suffice(candidates) else { continue }
      // Equal weights in the order of tokens, so that the choice is the same everywhere.
      candidates.sort { $0.weight == $1.weight ? $0.token < $1.token : $0.weight > $1.weight }
      return candidates
    }
    return []
  }

  private func draw(_ candidates: [(token: Int32, weight: Float)], _ random: inout RandomSource) -> Choice {
    let total = candidates.reduce(0.0) { $0 + Double($1.weight) }
    var mark = random.uniform() * total
    var chosen: (token: Int32, weight: Float)?
    for candidate in candidates where candidate.weight > 0 {
      chosen = candidate  //the last, if rounding leaves a remainder
      mark -= Double(candidate.weight)
      if mark < 0 { break }
    }
    return Choice(token: chosen?.token ?? 0, weight: chosen?.weight ?? 1, total: total)
  }
}

extension SamplingOptions.Choice {
  fileprivate init(token: Int32, weight: Float, total: Double) {
    self.init(token: token, logProbability: Float(log(Double(weight) / total)))
  }
}
