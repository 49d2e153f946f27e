import ArgumentParser
import Nabla

/// Reward functions with their weights, and a reward model.
struct JudgeOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Reward functions, whose values are summed.", valueName: "function"))
  var reward: [String] = []
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Weight of each reward function (default: 1 each).", valueName: "x"))
  var rewardWeight: [Double] = []
  @Option(
    help: ArgumentHelp(
      "Reward model: a run of 'nabla reward', or a Hugging Face sequence-classification folder.", valueName: "run"),
    completion: .directory)
  var rewardModel: String?
  @Option(help: ArgumentHelp("Weight of the reward model's score.", valueName: "x"))
  var rewardModelWeight = 1.0

  /// The first of these flags that was given.
  var first: String? {
    if !reward.isEmpty { return "--reward" }
    if !rewardWeight.isEmpty { return "--reward-weight" }
    return rewardModel == nil ? nil : "--reward-model"
  }

  /// What is named, each function read.
  func description() throws -> JudgeDescription {
    if reward.isEmpty, rewardModel == nil {
      throw ValidationError(
        "name a reward function with --reward, such as --reward numeric, or a reward model with --reward-model")
    }
    if !rewardWeight.isEmpty, rewardWeight.count != reward.count {
      throw ValidationError("--reward-weight has \(rewardWeight.count) weights for \(reward.count) reward functions")
    }
    if let weight = rewardWeight.first(where: { !$0.isFinite }) {
      throw ValidationError("--reward-weight must be numbers, not \(weight)")
    }
    if !rewardModelWeight.isFinite { throw ValidationError("--reward-model-weight must be a number") }
    let rewards = try reward.enumerated().map { i, function in
      do { _ = try Reward(parsing: function) } catch { throw ValidationError("--reward: \(error)") }
      return RewardDescription(function, weight: rewardWeight.isEmpty ? 1 : rewardWeight[i])
    }
    return JudgeDescription(rewards: rewards, rewardModel: rewardModel, rewardModelWeight: rewardModelWeight)
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
