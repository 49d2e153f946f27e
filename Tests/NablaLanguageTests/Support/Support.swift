import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import Testing

let packageFolder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().path
let peerModels = packageFolder + "/Tests/Fixtures/hf_models"

/// Runs `body` with a new folder, and removes it.
func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
  let folder = NSTemporaryDirectory() + "nabla-language-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// The largest |a - b|; NaN where either is.
func largestDifference(_ a: Tensor, _ b: Tensor) -> Double {
  precondition(a.shape == b.shape, "\(a.shape) against \(b.shape)")
  return zip(a.array(of: Double.self), b.array(of: Double.self)).reduce(0) { largest, pair in
    let difference = abs(pair.0 - pair.1)
    return difference.isNaN ? .nan : max(largest, difference)
  }
}

/// The bits of every parameter, by name.
func bits(_ model: Module) -> [String: [UInt32]] {
  Dictionary(uniqueKeysWithValues: model.parameters().map { ($0.name, $0.value.array().map(\.bitPattern)) })
}

/// A small configuration; `change` makes it another.
func configuration(
  vocabulary: Int = 32, context: Int = 16, _ change: (inout TransformerConfiguration) -> Void = { _ in }
) -> TransformerConfiguration {
  var c = TransformerConfiguration(
    vocabularySize: vocabulary, context: context, width: 16, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
    feedForwardWidth: 24)
  change(&c)
  return c
}

func gpt2Shaped(_ c: inout TransformerConfiguration) {
  c.keyValueHeadCount = c.headCount
  c.norm = .layer
  c.positions = .learned
  c.feedForward = .gelu
}

/// A model with weights large enough that every part of it matters.
func lively(_ c: TransformerConfiguration, seed: UInt64 = 1) -> TransformerLM {
  var random = RandomSource(seed: seed)
  let model = TransformerLM(c, random: &random)
  for parameter in model.parameters() {
    let noise = random.normal(parameter.value.shape, standardDeviation: parameter.value.rank > 1 ? 0.3 : 0.2)
    parameter.value = parameter.value.rank > 1 ? noise : parameter.value + noise
  }
  return model
}

func tokens(_ shape: Shape, below bound: Int, seed: UInt64 = 5) -> Tensor {
  var random = RandomSource(seed: seed)
  return Tensor((0..<shape.elementCount).map { _ in Int32.random(in: 0..<Int32(bound), using: &random) }, shape)
}

/// A language model that is a Markov chain: after each byte, given bytes with given probabilities.
///
/// The blocks add nothing (their last weights are 0), the embedding is the unit matrix, and the final norm turns a unit
/// vector into √V times itself; so the output layer holds the logarithms of the probabilities over √V.
func chain(_ following: [UInt8: [(next: Int32, probability: Float)]], context: Int = 64) throws -> TransformerLM {
  let v = 257
  var c = TransformerConfiguration(
    vocabularySize: v, context: context, width: v, layerCount: 1, headCount: 1, headSize: 2, feedForwardWidth: 2)
  c.tieEmbeddings = false
  var random = RandomSource(seed: 1)
  let model = TransformerLM(c, random: &random)
  var embedding = [Float](repeating: 0, count: v * v)
  var output = [Float](repeating: -30, count: v * v)
  for i in 0..<v { embedding[i * v + i] = 1 }
  for (byte, choices) in following {
    for choice in choices { output[Int(choice.next) * v + Int(byte)] = Float(log(Double(choice.probability))) }
  }
  // The start of a text comes after its end, as the byte 0 does here.
  for next in 0..<v { output[next * v + 256] = output[next * v] }
  for parameter in model.parameters() {
    switch parameter.name {
    case "model.embed_tokens.weight": parameter.value = Tensor(embedding, [v, v])
    case "lm_head.weight": parameter.value = Tensor(output, [v, v]) * Tensor(1 / Float(v).squareRoot())
    case let name where name.hasSuffix("o_proj.weight") || name.hasSuffix("down_proj.weight"):
      parameter.value = .zeros(parameter.value.shape)
    default: break
    }
  }
  return model
}

/// The chain that writes `text`, whose characters differ, and then ends it; or goes on for ever.
func writer(of text: String, ends: Bool = true) throws -> TransformerLM {
  let bytes = Array(text.utf8)
  var following: [UInt8: [(next: Int32, probability: Float)]] = [:]
  for (i, byte) in bytes.enumerated() {
    following[byte] = [(i + 1 < bytes.count ? Int32(bytes[i + 1]) : ends ? 256 : Int32(bytes[0]), 1)]
  }
  return try chain(following)
}
