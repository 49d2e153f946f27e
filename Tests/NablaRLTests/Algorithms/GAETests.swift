import NablaNN
import NablaRL
import Testing

@Suite struct GAETests {
  /// γ = ½, λ = ½, so that the sums can be done by hand. Step 1 of environment 0 terminates, step 2 of environment 1 is
  /// cut off with a final observation worth 8.
  @Test func byHand() {
    let rollout = RolloutRewards(
      rewards: [1, 1, 2, 1, 3, 1, 4, 1], values: [1, 2, 3, 2, 5, 2, 7, 2],
      terminated: [false, false, true, false, false, false, false, false],
      truncated: [false, false, false, false, false, true, false, false],
      finalValues: [9, 9, 9, 9, 9, 8, 9, 9], lastValues: [10, 6])
    // Environment 0, backwards: δ₃ = 4 + ½·10 - 7 = 2; δ₂ = 3 + ½·7 - 5 = 1.5, Â₂ = 1.5 + ¼·2 = 2;
    // δ₁ = 2 + 0 - 3 = -1 = Â₁; δ₀ = 1 + ½·3 - 1 = 1.5, Â₀ = 1.5 + ¼·(-1) = 1.25.
    // Environment 1: δ₃ = 1 + ½·6 - 2 = 2; δ₂ = 1 + ½·8 - 2 = 3 = Â₂; δ₁ = 1 + ½·2 - 2 = 0, Â₁ = ¾;
    // δ₀ = 0, Â₀ = 3/16.
    #expect(
      generalizedAdvantages(rollout, discount: 0.5, lambda: 0.5) == [1.25, 0.1875, -1, 0.75, 2, 3, 2, 2])
  }

  /// The definition, forwards: Â_t = Σ_l (γλ)^l δ_{t+l}, up to the episode's end.
  @Test(arguments: [(0.99, 0.95), (1, 1), (0.9, 0), (0, 0.5)] as [(Float, Float)])
  func byDefinition(_ discount: Float, _ lambda: Float) {
    var state: UInt64 = 7
    func number() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) / Float(1 << 24)
    }
    let (steps, n) = (40, 3)
    var rollout = RolloutRewards(
      rewards: [], values: [], terminated: [], truncated: [], finalValues: [], lastValues: [1, 2, 3])
    for _ in 0..<steps * n {
      rollout.rewards.append(number() - 0.5)
      rollout.values.append(number())
      rollout.terminated.append(number() < 0.1)
      // Both may be true: the end counts.
      rollout.truncated.append(number() < 0.1)
      rollout.finalValues.append(number())
    }
    let advantages = generalizedAdvantages(rollout, discount: discount, lambda: lambda)
    for i in 0..<n {
      for t in 0..<steps {
        var (sum, weight) = (0.0, 1.0)
        for k in t..<steps {
          let row = k * n + i
          let next =
            rollout.terminated[row]
            ? 0
            : rollout.truncated[row]
              ? rollout.finalValues[row] : k + 1 < steps ? rollout.values[row + n] : rollout.lastValues[i]
          sum += weight * Double(rollout.rewards[row] + discount * next - rollout.values[row])
          weight *= Double(discount * lambda)
          if rollout.terminated[row] || rollout.truncated[row] { break }
        }
        #expect(abs(sum - Double(advantages[t * n + i])) < 1e-4, "step \(t), environment \(i)")
      }
    }
  }
}
