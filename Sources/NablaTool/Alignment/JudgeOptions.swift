import ArgumentParser
import Nabla

/// Reward functions, and a reward model.
struct JudgeOptions: ParsableArguments {
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Reward functions.", valueName: "function"))
  var reward: [String] = []
  @Option(
    help: ArgumentHelp(
      "Reward model: a run of 'nabla reward', or a Hugging Face sequence-classification folder.", valueName: "run"),
    completion: .directory)
  var rewardModel: String?

  /// What is named, each function read.
  func description() throws -> JudgeDescription {
    if reward.isEmpty, rewardModel == nil {
      throw ValidationError(
        "name a reward function with --reward, such as --reward numeric, or a reward model with --reward-model")
    }
    let rewards = try reward.map { function in
      do { _ = try Reward(parsing: function) } catch { throw ValidationError("--reward: \(error)") }
      return RewardDescription(function)
    }
    return JudgeDescription(rewards: rewards, rewardModel: rewardModel)
  }

  /// For the help of commands that take them.
  static let list = """
    Reward functions:
      numeric           1 for the number in the row's column "answer"
      numeric:FIELD     the same with another column
      format:TAG,TAG    1 for these elements in order (default: think,answer)
      length:LOW-HIGH   1 for a length in tokens in this range
      length:LOW-HIGH~TOLERANCE
                        the same, falling to 0 within the tolerance
      regex:PATTERN     1 for a match anywhere
      json              1 for one JSON object or array
      command:COMMAND   the number that a shell command prints; it reads a JSON
                        line: prompt, completion, and the row's columns
    """
}

/// Reward functions and a reward model, and their weights in the sum that is trained on.
struct WeightedJudgeOptions: ParsableArguments {
  @OptionGroup var judges: JudgeOptions
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Weight of each reward function in the sum (default: 1 each).", valueName: "x"))
  var rewardWeight: [Double] = []
  @Option(help: ArgumentHelp("Weight of the reward model's score in the sum (default: 1).", valueName: "x"))
  var rewardModelWeight: Double?

  /// The first of these flags that was given.
  var first: String? {
    if !judges.reward.isEmpty { return "--reward" }
    if !rewardWeight.isEmpty { return "--reward-weight" }
    if judges.rewardModel != nil { return "--reward-model" }
    return rewardModelWeight == nil ? nil : "--reward-model-weight"
  }

  func description() throws -> JudgeDescription {
    var description = try judges.description()
    if !rewardWeight.isEmpty {
      guard rewardWeight.count == description.rewards.count else {
        throw ValidationError(
          "--reward-weight has \(rewardWeight.count) weights for \(description.rewards.count) reward functions")
      }
      for (i, weight) in rewardWeight.enumerated() {
        guard weight.isFinite else { throw ValidationError("--reward-weight must be numbers, not \(weight)") }
        description.rewards[i].weight = weight
      }
    }
    if let rewardModelWeight {
      guard description.rewardModel != nil else {
        throw ValidationError("--reward-model-weight is for a reward model: name one with --reward-model")
      }
      guard rewardModelWeight.isFinite else { throw ValidationError("--reward-model-weight must be a number") }
      description.rewardModelWeight = rewardModelWeight
    }
    return description
  }
}
