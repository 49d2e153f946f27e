extension StudioStep {
  /// Step 4: preferences, the clipped objective, PPO to play against, groups, and the leash to the reference.
  static let rlhf = StudioStep(
    "rlhf", title: "Learning from preferences",
    computations: [
      RLHFStep.pair.recorded(combining: ["seed": ["1"], "index": ["0", "1", "2", "3"]]),
      RLHFStep.judge.recorded(combining: ["seed": ["1"], "choices": RLHFStep.recordedChoices]),
      RLHFStep.score.recorded([]),
      RLHFStep.tune.recorded(
        combining: ["seed": ["1"], "index": ["0", "1", "2"], "first": ["1", "0"], "beta": ["0.1", "0.5"]]),
      RLHFStep.preference.recorded(combining: ["beta": ["0.05", "0.1", "0.2", "0.5", "1"]]),
      RLHFStep.clip.recorded(combining: ["ratio": ["0.5", "0.8", "1", "1.2", "1.5"], "positive": ["1", "0"]]),
      RLHFStep.start.recorded(combining: ["start": ["1", "2", "3"]]),
      RLHFStep.rivals.recorded(combining: ["ppo": ["1"], "start": ["1", "2", "3"]]),
      RLHFStep.learn,
      RLHFStep.group,
      RLHFStep.leash.recorded(combining: ["beta": ["0.05", "0.1", "0.2", "0.5", "1", "2", "5"]]),
    ])
}

enum RLHFStep {
  /// Everything that a reader may choose of the first three pairs.
  static let recordedChoices =
    ["", "a", "b", "aa", "ab", "ba", "bb"] + ["aa", "ab", "ba", "bb"].flatMap { ["\($0)a", "\($0)b"] }
}
