import Glibc
import NablaTensor

/// How the next token is chosen from a model's scores.
public struct SamplingOptions: Codable, Sendable, Hashable {
  /// Scores are divided by it; 0 always takes the best token (greedy).
  public var temperature: Float = 0.8
  /// Only the k best tokens; 0 for all.
  public var topK = 0
  /// Only the best tokens whose probabilities sum to this (Holtzman et al. 2020); 1 for all.
  public var topP: Float = 1
  /// Only tokens at least this fraction as probable as the best (Nguyen et al. 2024); 0 for all.
  public var minP: Float = 0
  /// Positive scores of tokens seen before are divided by it, negative ones multiplied (Keskar et al. 2019); 1 for none.
  public var repetitionPenalty: Float = 1

  public init(
    temperature: Float = 0.8, topK: Int = 0, topP: Float = 1, minP: Float = 0, repetitionPenalty: Float = 1
  ) {
    (self.temperature, self.topK, self.topP, self.minP) = (temperature, topK, topP, minP)
    self.repetitionPenalty = repetitionPenalty
  }

  public func validate() throws(ConfigurationError) {
    func require(_ condition: Bool, _ problem: String) throws(ConfigurationError) {
      if !condition { throw ConfigurationError(problem: problem) }
    }
    try require(temperature >= 0 && temperature.isFinite, "--temperature must be 0 or more, not \(temperature)")
    try require(topK >= 0, "--top-k must be 0 (all tokens) or more, not \(topK)")
    try require(topP > 0 && topP <= 1, "--top-p must be above 0 and at most 1, not \(topP)")
    try require(minP >= 0 && minP <= 1, "--min-p must be between 0 and 1, not \(minP)")
    try require(
      repetitionPenalty > 0 && repetitionPenalty.isFinite,
      "--repetition-penalty must be positive, not \(repetitionPenalty)")
  }

  /// Chooses a token. The penalty comes first, then temperature, top-k, top-p and min-p, in the order of Hugging Face's
  /// `generate`.
  ///
  /// - Parameters:
  ///   - logits: V scores.
  ///   - seen: tokens the penalty applies to.
  public func choose(
    from logits: UnsafeBufferPointer<Float>, seen: some Sequence<Int32>, random: inout RandomSource
  ) -> Int32 {
    var scores = Array(logits)
    if repetitionPenalty != 1 {
      for token in Set(seen) {
        let score = scores[Int(token)]
        scores[Int(token)] = score > 0 ? score / repetitionPenalty : score * repetitionPenalty
      }
    }
    if temperature == 0 { return Int32(scores.indices.max { scores[$0] < scores[$1] }!) }
    let best = scores.max()!
    guard topK > 0 || topP < 1 || minP > 0 else {
      return draw(scores.indices.map { ($0, exp((scores[$0] - best) / temperature)) }, &random)
    }
    var candidates = scores.indices.map { (token: $0, weight: exp((scores[$0] - best) / temperature)) }
    // Equal weights in the order of tokens, so that the choice is the same everywhere.
    candidates.sort { $0.weight == $1.weight ? $0.token < $1.token : $0.weight > $1.weight }
    if topK > 0, topK < candidates.count { candidates.removeLast(candidates.count - topK) }
    if topP < 1 {
      let limit = topP * candidates.reduce(0) { $0 + $1.weight }
      var sum: Float = 0
      let kept = candidates.firstIndex { candidate in
        sum += candidate.weight
        return sum >= limit
      }
      if let kept { candidates.removeLast(candidates.count - kept - 1) }
    }
    if minP > 0 {
      // Never empties the list, whatever a damaged model's scores are: a NaN is not less than anything.
      let least = minP * candidates[0].weight
      candidates.removeAll { $0.weight < least }
    }
    return draw(candidates, &random)
  }

  private func draw(_ candidates: [(token: Int, weight: Float)], _ random: inout RandomSource) -> Int32 {
    let total = candidates.reduce(0.0) { $0 + Double($1.weight) }
    var mark = random.uniform() * total
    for candidate in candidates {
      mark -= Double(candidate.weight)
      if mark < 0 { return Int32(candidate.token) }
    }
    return Int32(candidates.last!.token)
  }
}
