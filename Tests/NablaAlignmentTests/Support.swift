import Foundation
import NablaAlignment
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

/// Runs `body` with a new folder, and removes it.
func withTemporaryFolder<R>(_ body: (String) throws -> R) throws -> R {
  let folder = NSTemporaryDirectory() + "nabla-alignment-" + UUID().uuidString
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}

/// Writes a small Llama of bytes as a Hugging Face folder, and returns its path.
func writeModel(in folder: String, width: Int = 32, seed: UInt64 = 1) throws -> String {
  let c = TransformerConfiguration(
    vocabularySize: 257, context: 64, width: width, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
    feedForwardWidth: 2 * width)
  var random = RandomSource(seed: seed)
  let model = TransformerLM(c, random: &random)
  // Large enough that every part of it matters.
  for parameter in model.parameters() where parameter.value.rank > 1 { parameter.value = parameter.value * Tensor(5) }
  let path = "\(folder)/model"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  try ModelFolder.save(model, tokenizer: ByteTokenizer(), to: path)
  return path
}

func writeRows(_ rows: [String], in folder: String, name: String = "rows.jsonl") throws -> TuningData.Description {
  let path = "\(folder)/\(name)"
  try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
  return TuningData.Description(files: [path])
}

/// The answer to a letter is the letter, as often as its place in the alphabet says.
let repetitions: [String] = (0..<48).map { i in
  let letter = String(UnicodeScalar(UInt8(97 + i % 4)))
  let answer = String(repeating: letter, count: 1 + i % 4)
  return #"{"prompt": "\#(i % 10)\#(letter):", "completion": "\#(answer)"}"#
}

/// Of two answers, the chosen one is short.
let pairs: [String] = (0..<32).map { i in
  let letter = String(UnicodeScalar(UInt8(97 + i % 8)))
  return #"{"prompt": "\#(letter)?", "chosen": "\#(letter)\#(letter)", "rejected": "no \#(letter)"}"#
}

func small(_ change: (inout TuningConfiguration) -> Void = { _ in }) -> TuningConfiguration {
  var c = TuningConfiguration()
  c.maximumLength = 64
  c.batchSize = 4
  c.loraRank = 4
  c.loraAlpha = 8
  c.learningRate = 1e-2
  c.precision = .float32
  c.sampleLength = 8
  change(&c)
  return c
}

/// The bits of what is trained, by name.
func trainedBits(_ model: Module) -> [String: [UInt32]] {
  Dictionary(uniqueKeysWithValues: model.trainableParameters().map { ($0.name, $0.value.array().map(\.bitPattern)) })
}

/// The training losses of a run, in order.
func losses<T: Trainer>(_ run: TrainingRun<T>, until stop: StopCondition = .never) throws -> [Double] {
  var losses: [Double] = []
  _ = try run.train(until: stop) { if case .step(let step) = $0 { losses.append(step.report["loss"]!) } }
  return losses
}
