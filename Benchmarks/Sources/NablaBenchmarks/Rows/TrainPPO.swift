import Foundation
import Nabla

/// PPO on CartPole-v1 with the hyperparameters of rl-baselines3-zoo, acting and learning, against Stable-Baselines3.
enum TrainPPO {
  static let row = Row(
    name: "ppo",
    work: "PPO, CartPole-v1, rl-zoo's settings, 100k steps",
    peer: .init(script: "sb3_ppo.py", arguments: []),
    nabla: {
      var seed: UInt64 = 0
      return {
        seed += 1
        var configuration = Presets.zoo(for: "CartPole-v1")
        configuration.seed = seed
        let learner = try PPO(configuration, in: "CartPole-v1")
        let start = Date()
        try learner.train()
        let seconds = Date().timeIntervalSince(start)
        let greedy = try learner.agent.evaluate(.named("CartPole-v1"), episodes: 20, seed: 1000)
        return ["steps_per_second": Double(learner.step) / seconds, "greedy_return": greedy.meanReturn]
      }
    },
    metrics: [
      .stepsPerSecond,
      Metric(key: "greedy_return", label: "mean return, greedy", higherIsBetter: true),
    ])
}
