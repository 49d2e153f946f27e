import Nabla

/// CartPole-v1 stepped with random actions on one thread: environments only, no learning.
enum StepCartPole {
  static let rows = [8, 4096].map { row(count: $0) }

  static func row(count: Int) -> Row {
    Row(
      name: "cartpole-step-\(count)",
      work: "CartPole-v1, \(count) at a time, random actions, one thread (peer: Gymnasium's vector environment)",
      peer: .init(script: "cartpole.py", arguments: ["--environments", "\(count)"]), nabla: { try nabla(count: count) },
      metrics: [.stepsPerSecond, .meanReturn])
  }

  static func nabla(count: Int) throws -> Round {
    let environments = try VectorEnvironment("CartPole-v1", count: count)
    return {
      Threads.count = 1
      var random = RandomSource(seed: 1)
      try environments.reset(seed: 1)
      let calls = max(1, 20_000_000 / count)
      var (episodes, sum) = (0, 0.0)
      let start = monotonicSeconds()
      for _ in 0..<calls {
        try environments.stepAtRandom(&random)
        episodes += environments.finished.count
        for episode in environments.finished { sum += episode.return }
      }
      let seconds = monotonicSeconds() - start
      return ["steps_per_second": Double(calls * count) / seconds, "mean_return": sum / Double(episodes)]
    }
  }
}

extension Metric {
  static let stepsPerSecond = Metric(key: "steps_per_second", label: "environment steps/s", higherIsBetter: true)
  static let meanReturn = Metric(key: "mean_return", label: "mean return", higherIsBetter: true)
}
