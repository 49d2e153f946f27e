import Glibc
import NablaStudio
import Testing

/// PPO on CartPole, to play against.
struct BalanceTests {
  struct Start: Decodable { let state: [Double], stepLimit: Int, secondsPerStep: Double }
  struct Rivals: Decodable {
    struct Episode: Decodable { let trained, length: Int, states: [Double], actions: [Int] }
    let curve: [[Double]], seconds: Double, episodes: [Episode]
  }

  /// Florian (2007), as Gymnasium has it: what the page steps in JavaScript.
  private func next(_ s: ArraySlice<Double>, _ action: Int) -> [Double] {
    let (x, speed, angle, spin) = (s[s.startIndex], s[s.startIndex + 1], s[s.startIndex + 2], s[s.startIndex + 3])
    let force = action == 1 ? 10.0 : -10
    let shared = (force + 0.05 * spin * spin * sin(angle)) / 1.1
    let spinRate = (9.8 * sin(angle) - cos(angle) * shared) / (0.5 * (4.0 / 3 - 0.1 * cos(angle) * cos(angle) / 1.1))
    let speedRate = shared - 0.05 * spinRate * cos(angle) / 1.1
    return [x + 0.02 * speed, speed + 0.02 * speedRate, angle + 0.02 * spin, spin + 0.02 * spinRate]
  }

  @Test func policiesPlayFromTheSameStart() throws {
    let start: Start = try untrained.decoded("rlhf", "start", ["start": "7"]).value
    #expect(start.stepLimit == 500 && start.secondsPerStep == 0.02 && start.state.allSatisfy { abs($0) <= 0.05 })
    let rivals: Rivals = try untrained.decoded("rlhf", "rivals", ["ppo": "3", "start": "7"]).value
    for episode in rivals.episodes {
      #expect(Array(episode.states[0..<4]) == start.state)
      #expect(episode.actions.count == episode.length && episode.states.count == 4 * (episode.length + 1))
      for (t, action) in episode.actions.enumerated() {
        let expected = next(episode.states[4 * t..<4 * t + 4], action)
        for i in 0..<4 { #expect(abs(expected[i] - episode.states[4 * t + 4 + i]) < 1e-6) }
      }
      // It ended for one of the two reasons.
      let last = episode.states.suffix(4)
      let hasFallen = abs(last[last.startIndex]) > 2.4 || abs(last[last.startIndex + 2]) > 12 * Double.pi / 180
      #expect(hasFallen != (episode.length == 500))
    }
    // Untrained it falls at once; trained it does not.
    let (first, last) = (rivals.episodes.first!, rivals.episodes.last!)
    #expect(first.trained == 0 && first.length < 100 && last.trained >= 140_000 && last.length > 300)
    #expect(rivals.curve.first![1] < 50 && rivals.curve.last![1] > 300)
    #expect(zip(rivals.curve, rivals.curve.dropFirst()).allSatisfy { $0[0] < $1[0] })
  }

  @Test func whatIsOutOfRangeIsRefused() {
    for query in [["start": "0"], ["start": "nan"], ["ppo": "-1"], ["ppo": "1e9"]] {
      #expect(throws: StudioError.self) { try untrained.answer("rlhf", "rivals", StudioQuery(query)) }
    }
  }
}
