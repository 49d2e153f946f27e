import NablaFormats
import NablaLanguage
import NablaText
import NablaTraining

/// The prompts of a dataset as tokens, and their inputs to reward functions.
public struct PromptSet: Sendable {
  public struct Prompt: Sendable {
    public var tokens: [Int32]
    /// The prompt as input to the model.
    public var text: String
    /// The row's columns, such as a reference answer.
    public var row: JSONObject
    public var place: DatasetPlace
  }

  public let prompts: [Prompt]

  public init(_ prompts: [Prompt]) { self.prompts = prompts }

  /// - Parameters:
  ///   - dataset: rows with a prompt; their other columns go to reward functions.
  ///   - encoder: formats and tokenizes the prompts.
  ///   - context: the maximum length of a prompt with its completion, in tokens.
  ///   - owner: the model whose context that is, for errors.
  ///   - maximumTokens: the maximum length of a completion, in tokens.
  /// - Throws: `DatasetError` that names the file and line of a row without a prompt, or of a prompt that leaves no
  ///   room for a completion.
  public init(
    _ dataset: Dataset, _ encoder: ExampleEncoder, context: Int, of owner: String = "the model", maximumTokens: Int
  ) throws {
    prompts = try dataset.map { example in
      let tokens = try encoder.encodePrompt(example)
      guard !tokens.isEmpty else { throw DatasetError(example.place, problem: "the prompt is empty") }
      guard tokens.count + maximumTokens <= context else {
        throw DatasetError(
          example.place,
          problem: "the prompt has \(tokens.count) tokens: with a completion of \(maximumTokens) it exceeds \(owner)'s "
            + "context of \(context): shorten the prompt, or allow fewer new tokens")
      }
      return Prompt(tokens: tokens, text: encoder.tokenizer.decode(tokens), row: example.columns, place: example.place)
    }
  }

  /// The smallest context of the models that read a prompt with its completion, and which of them has it.
  static func context(
    of policy: TransformerConfiguration, rewardModel: TransformerConfiguration?,
    reference: TransformerConfiguration? = nil
  ) -> (length: Int, owner: String) {
    var smallest = (length: policy.context, owner: "the model")
    for (other, owner) in [(rewardModel, "the reward model"), (reference, "the reference")] {
      if let other, other.context < smallest.length { smallest = (other.context, owner) }
    }
    return smallest
  }

  /// The prompts to learn from and those held out.
  ///
  /// - Parameters:
  ///   - data: takes the hash of the rows.
  ///   - judge: may have a smaller context than the policy.
  /// - Throws: ``AlignmentError/otherData(files:)`` where `data` has the hash of others, and `DatasetError`.
  static func read(
    _ data: inout TuningData.Description, _ c: TuningConfiguration, maximumTokens: Int, for policy: TunedModel,
    _ judge: RolloutJudge
  ) throws -> (training: PromptSet, heldOut: PromptSet) {
    let dataset = try Dataset.read(data.files)
    let hash = dataset.contentHash()
    if let known = data.hash, known != hash { throw AlignmentError.otherData(files: data.files) }
    data.hash = hash
    let encoder = try ExampleEncoder(policy.text, template: data.template, date: data.date)
    let (rows, heldOut) = dataset.split(heldOutFraction: c.heldOutFraction, seed: c.seed)
    let (context, owner) = Self.context(
      of: policy.model.configuration, rewardModel: judge.model?.model.configuration)
    return (
      try PromptSet(rows, encoder, context: context, of: owner, maximumTokens: maximumTokens),
      try PromptSet(heldOut, encoder, context: context, of: owner, maximumTokens: maximumTokens)
    )
  }

  public var count: Int { prompts.count }
  public subscript(number: Int) -> Prompt { prompts[number] }

  /// Checks that every row has what reward functions read.
  ///
  /// - Throws: `DatasetError` that names the first row that does not.
  func check(for rewards: WeightedRewards) throws {
    for prompt in prompts {
      for reward in rewards.rewards {
        do { try reward.checkRow(prompt.row) } catch { throw DatasetError(prompt.place, problem: "\(error)") }
      }
    }
  }

  /// Computes the rewards of rollouts of these prompts.
  ///
  /// - Returns: the rewards by function: [function][rollout].
  /// - Throws: `DatasetError` that names the row whose completion a reward function fails on, or `RewardError`.
  func reward(_ rollouts: inout [Rollout], by rewards: WeightedRewards) throws -> [[Double]] {
    let samples = rollouts.map { rollout in
      RewardSample(
        prompt: self[rollout.prompt].text, completion: rollout.text, tokenCount: rollout.tokens.count,
        row: self[rollout.prompt].row, place: self[rollout.prompt].place)
    }
    let (totals, byFunction) = try rewards.evaluate(samples)
    for i in rollouts.indices { rollouts[i].reward = totals[i] }
    return byFunction
  }
}
