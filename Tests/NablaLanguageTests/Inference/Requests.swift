import NablaLanguage
import NablaTensor
import NablaText

/// A model with packed weights, whose continuations are the same bit for bit in any company.
func packed(context: Int = 1500, type: DType = .q8_0) -> TransformerLM {
  let model = lively(
    configuration(vocabulary: 64, context: context) { ($0.width, $0.headSize, $0.feedForwardWidth) = (64, 16, 96) })
  for parameter in model.parameters() where parameter.value.rank == 2 { parameter.value = parameter.value.cast(type) }
  model.computeType = .bfloat16
  return model
}

func prompt(_ length: Int, below vocabulary: Int = 61, seed: UInt64) -> [Int32] {
  tokens([length], below: vocabulary, seed: seed).array(of: Int32.self)
}

extension [GeneratedToken] {
  /// All that must be equal where "bit for bit" is promised.
  var bits: [[UInt32]] {
    map { [UInt32($0.token), $0.logProbability?.bitPattern ?? 0, $0.samplingLogProbability.bitPattern] }
  }
}

/// What requests give, each by its place in the list.
func run(_ core: InferenceCore, _ requests: [TokenRequest]) throws -> [[GeneratedToken]] {
  var result = requests.map { _ in [GeneratedToken]() }
  let first = try requests.map { try core.add($0) }[0]
  while !core.isDone {
    for step in core.step() { result[step.request - first].append(try step.result.get()) }
  }
  return result
}

/// A letter a token.
struct Letters: Tokenizer {
  var vocabularySize: Int { 64 }
  var specialTokens: SpecialTokens { SpecialTokens() }
  func encode(_ text: String, recognizingSpecialTokens: Bool) -> [Int32] { text.utf8.map { Int32($0) - 48 } }
  func appendBytes(of id: Int32, to bytes: inout [UInt8]) { bytes.append(UInt8(id) + 48) }
  func tokenizerJSON() -> String { "{}" }
}

extension InferenceStatistics {
  var isNothing: Bool { active == 0 && waiting == 0 && cacheBytes == 0 && prefixBytes == 0 }
}
