// Trains PPO in a custom environment, in a run folder: move a paddle to catch a falling ball.
import Nabla

struct Catch: Environment {
  var ball = 0, height = 0, paddle = 0
  var observationSpace: ObservationSpace { ObservationSpace(["ball", "height", "paddle"], within: [1, 1, 1]) }
  var actionSpace: ActionSpace { .discrete(3) }  // left, stay, right

  mutating func reset(seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    (ball, height, paddle) = (.random(in: 0...8, using: &random), 8, 4)
    return observation
  }

  mutating func step(_ action: Int) -> EnvironmentStep {
    paddle = min(max(paddle + action - 1, 0), 8)
    height -= 1
    let isDown = height == 0
    return EnvironmentStep(observation, reward: isDown ? (paddle == ball ? 1 : -1) : 0, terminated: isDown)
  }

  private var observation: [Float] { [Float(ball) / 4 - 1, Float(height) / 8, Float(paddle) / 4 - 1] }
}

var settings = PPOConfiguration()
settings.totalSteps = 60_000
settings.learningRate = 2e-3
settings.entropyCoefficient = 0.01

// A run folder with metrics, checkpoints and a report. It can be stopped at any time and resumes with the same bits.
let path = CommandLine.arguments.dropFirst().first ?? "runs/catch"
let run = try TrainingRun<PolicyTrainer>(at: path) { _ in
  try PolicyTrainer(settings, in: VectorEnvironment(count: settings.environmentCount) { Catch() })
}
_ = try run.train { event in
  if case .step(let step) = event { print(step.progress.done, step.report["charts/episodic_return"] ?? 0) }
}
let result = try run.trainer.learner.agent.evaluate(VectorEnvironment(count: 100) { Catch() }, seed: 7)
print("fraction caught \((result.meanReturn + 1) / 2)")
