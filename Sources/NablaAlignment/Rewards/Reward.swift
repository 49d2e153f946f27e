import NablaFormats
import NablaText

/// The input of a reward function: a completion of a prompt, and the row of data that the prompt came from.
public struct RewardSample: Sendable {
  public var prompt: String
  public var completion: String
  /// Tokens of the completion, the end included.
  public var tokenCount: Int
  /// The row's fields (a reference answer, for example).
  public var row: JSONObject
  /// Where the row is, for errors.
  public var place: DatasetPlace?

  public init(
    prompt: String, completion: String, tokenCount: Int, row: JSONObject = JSONObject(), place: DatasetPlace? = nil
  ) {
    (self.prompt, self.completion, self.tokenCount) = (prompt, completion, tokenCount)
    (self.row, self.place) = (row, place)
  }

  /// Names the row in what `body` throws, as a `DatasetError`.
  func locating<R>(_ body: () throws -> R) throws -> R {
    do { return try body() } catch {
      guard let place, !(error is CancellationError) else { throw error }
      throw DatasetError(place, problem: "\(error)")
    }
  }
}

/// A reward function: one number per completion, higher for better ones.
///
/// ```swift
/// let short = Reward("short") { sample in sample.tokenCount <= 40 ? 1 : 0 }
/// ```
public struct Reward: Sendable {
  /// Its name in metrics and messages.
  public let name: String
  /// The rewards of a batch of completions, in order.
  public let evaluate: @Sendable ([RewardSample]) throws -> [Double]
  /// Throws for a row that lacks what the function reads. Trainers check all rows before the first step.
  public var checkRow: @Sendable (JSONObject) throws -> Void = { _ in }

  public init(_ name: String, _ each: @escaping @Sendable (RewardSample) throws -> Double) {
    self.name = name
    evaluate = { try $0.map { sample in try sample.locating { try each(sample) } } }
  }

  /// A function that scores all completions of a batch together.
  public init(batch name: String, _ evaluate: @escaping @Sendable ([RewardSample]) throws -> [Double]) {
    self.name = name
    self.evaluate = evaluate
  }
}

/// Several rewards with weights.
public struct WeightedRewards: Sendable {
  public let rewards: [Reward]
  public let weights: [Double]

  /// - Parameters:
  ///   - rewards: called in this order, each with all completions.
  ///   - weights: one per reward; nil for 1 each.
  public init(_ rewards: [Reward], weights: [Double]? = nil) {
    precondition(
      weights.map { $0.count == rewards.count } ?? true, "\(weights!.count) weights for \(rewards.count) rewards")
    self.rewards = rewards
    self.weights = weights ?? rewards.map { _ in 1 }
  }

  /// - Returns: the weighted sum of each completion, and the rewards by function: [function][completion].
  /// - Throws: what a function throws; `RewardError` if one returns a wrong number of rewards, or a
  ///   non-finite one, which would make every weight of the model NaN. For a sample with a place, a `DatasetError` that
  ///   names it instead.
  public func evaluate(_ samples: [RewardSample]) throws -> (totals: [Double], byFunction: [[Double]]) {
    var totals = [Double](repeating: 0, count: samples.count)
    var byFunction: [[Double]] = []
    for (reward, weight) in zip(rewards, weights) {
      let values = try reward.evaluate(samples)
      guard values.count == samples.count else {
        throw RewardError.count(reward: reward.name, got: values.count, expected: samples.count)
      }
      if let i = values.firstIndex(where: { !$0.isFinite }) {
        try samples[i].locating {
          throw RewardError.notFinite(reward: reward.name, value: values[i], completion: samples[i].completion)
        }
      }
      for i in values.indices { totals[i] += weight * values[i] }
      byFunction.append(values)
    }
    return (totals, byFunction)
  }
}

public enum RewardError: Error, Equatable, CustomStringConvertible {
  case count(reward: String, got: Int, expected: Int)
  case notFinite(reward: String, value: Double, completion: String)
  case missingField(reward: String, field: String, fields: [String])
  case unreadableAnswer(reward: String, answer: String)
  case pattern(String, problem: String)
  case command(String, problem: String)
  case unknown(String, nearest: String)
  case argument(reward: String, problem: String)

  public var description: String {
    switch self {
    case .count(let reward, let got, let expected):
      "reward \(reward): \(got) rewards for \(expected) completions"
    case .notFinite(let reward, let value, let completion):
      "reward \(reward): \(value) is not a finite number (completion \(RewardError.quoted(completion)))"
    case .missingField(let reward, let field, let fields):
      "reward \(reward): the row has no text in \"\(field)\" (its fields: \(fields.joined(separator: ", ")))"
    case .unreadableAnswer(let reward, let answer):
      "reward \(reward): no number in the reference answer \(RewardError.quoted(answer))"
    case .pattern(let pattern, let problem):
      "reward regex: \"\(pattern)\" is not a regular expression: \(problem)"
    case .command(let command, let problem):
      "reward command \"\(command)\": \(problem)"
    case .unknown(let name, let nearest):
      "no reward function \"\(name)\"; the nearest is \"\(nearest)\" (there are \(Reward.kinds.joined(separator: ", ")))"
    case .argument(let reward, let problem):
      "reward \(reward): \(problem)"
    }
  }

  /// The beginning of a text, on one line.
  private static func quoted(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count <= 60 ? "\"\(line)\"" : "\"\(line.prefix(60))…\""
  }
}
