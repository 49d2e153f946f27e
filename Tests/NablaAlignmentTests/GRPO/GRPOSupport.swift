import Foundation
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

import NablaAlignment

/// A folder with a tiny random Llama whose tokens are the digits, a space and an end, and prompts of two digits.
struct DigitModel {
  let folder: String
  var model: String { "\(folder)/model" }
  var data: String { "\(folder)/prompts.jsonl" }

  /// Runs `body` with the folder, and removes it.
  static func use<R>(context: Int = 16, seed: UInt64 = 1, _ body: (DigitModel) throws -> R) throws -> R {
    let digits = DigitModel(folder: NSTemporaryDirectory() + "nabla-grpo-" + UUID().uuidString)
    try FileManager.default.createDirectory(atPath: digits.model, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: digits.folder) }
    let tokenizer = try CharacterTokenizer(corpus: ["0123456789 "])
    var c = TransformerConfiguration(
      vocabularySize: tokenizer.vocabularySize, context: context, width: 32, layerCount: 2, headCount: 4,
      keyValueHeadCount: 2, feedForwardWidth: 48)
    c.tieEmbeddings = false
    var random = RandomSource(seed: seed)
    let model = TransformerLM(c, random: &random)
    for parameter in model.parameters() where parameter.value.rank == 2 {
      parameter.value = random.normal(parameter.value.shape, standardDeviation: 0.15)
    }
    try ModelFolder.save(model, tokenizer: tokenizer, to: digits.model)
    let lines = (0..<40).map { #"{"prompt": "\#($0 % 10)\#(3 * $0 % 10) ", "answer": "\#($0)"}"# }
    try (lines.joined(separator: "\n") + "\n").write(toFile: digits.data, atomically: true, encoding: .utf8)
    return try body(digits)
  }

  /// A trainer of every parameter in float32; `change` makes it another.
  func trainer(
    from start: String? = nil, rewards: WeightedRewards = evenDigits,
    _ change: (inout GRPO.Configuration) -> Void = { _ in }
  ) throws -> GRPO {
    var c = GRPO.Configuration()
    (c.tuning.precision, c.tuning.adapter, c.tuning.steps) = (.float32, .none, 40)
    (c.tuning.learningRate, c.tuning.batchSize) = (5e-3, 64)
    (c.tuning.evaluateEvery, c.tuning.checkpointEvery) = (0, 0)
    (c.prompts, c.groupSize, c.maximumTokens) = (8, 8, 6)
    change(&c)
    return try GRPO(start ?? model, data: .init(files: [data]), rewards: rewards, c)
  }
}

/// The share of a completion's characters that are even digits; 0 for nothing.
let evenDigits = WeightedRewards([
  Reward("even") { sample in
    Double(sample.completion.filter { "02468".contains($0) }.count) / Double(max(sample.completion.count, 1))
  }
])

/// The same rewards until a request, and then an error.
func breaking(_ rewards: WeightedRewards, when request: StopRequest) -> WeightedRewards {
  struct Failure: Error {}
  return WeightedRewards([
    Reward("breaking") { sample in
      if request.isRequested { throw Failure() }
      return try rewards.evaluate([sample]).totals[0]
    }
  ])
}

/// The bits of every parameter, by name.
func bits(_ model: Module) -> [String: [UInt32]] {
  Dictionary(uniqueKeysWithValues: model.parameters().map { ($0.name, $0.value.array().map(\.bitPattern)) })
}

/// The largest difference between parameters of the same name.
func largestDifference(_ a: Module, _ b: Module) -> Float {
  zip(a.parameters(), b.parameters()).flatMap { pair in
    zip(pair.0.value.array(), pair.1.value.array()).map { abs($0 - $1) }
  }.max() ?? 0
}
