/// Rollouts that go through a model together.
struct RolloutPart: Sendable {
  /// Completions by number.
  let rollouts: Range<Int>
  /// Their tokens among those of all completions.
  let tokens: Range<Int>

  /// Rollouts in order, so many at a time.
  static func split(_ rollouts: [Rollout], size: Int) -> [RolloutPart] {
    var token = 0
    return stride(from: 0, to: rollouts.count, by: size).map { start in
      let range = start..<min(start + size, rollouts.count)
      let count = rollouts[range].reduce(0) { $0 + $1.tokens.count }
      defer { token += count }
      return RolloutPart(rollouts: range, tokens: token..<token + count)
    }
  }
}
