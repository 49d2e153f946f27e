import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining
import Testing

/// A Python that has torch and transformers: NABLA_PYTHON, or .venv/bin/python; nil where there is none.
private let python: String? = {
  let candidates = [ProcessInfo.processInfo.environment["NABLA_PYTHON"], packageFolder + "/.venv/bin/python"]
  return candidates.compactMap { $0 }.first { path in
    guard FileManager.default.isExecutableFile(atPath: path) else { return false }
    let question =
      "import sys, importlib.util as u; sys.exit(any(u.find_spec(x) is None for x in ('torch', 'transformers')))"
    return (try? run(path, ["-c", question]))?.status == 0
  }
}()

private func run(_ tool: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
  let (process, pipe) = (Process(), Pipe())
  process.executableURL = URL(fileURLWithPath: tool)
  process.arguments = arguments
  process.standardOutput = pipe
  process.standardError = pipe
  try process.run()
  let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  return (process.terminationStatus, output)
}

/// Trains, and has transformers load the result: equal logits (float32, within 1e-4) and equal token ids.
@Suite(
  .enabled(
    if: python != nil,
    "there is no Python with torch and transformers: NABLA_PYTHON=/path/of/one make test, or make fixtures"))
struct ExportTests {
  @Test(arguments: ["llama", "llama with biases and scaling", "gpt2", "gpt2 without biases"])
  func transformersComputesTheSame(_ kind: String) throws {
    try withTemporaryFolder { folder in
      let text = (0..<300).map { "Line \($0): naïve café, \($0 * $0 % 97) €.\n\n" }.joined()
      try AtomicFile.write(text, to: "\(folder)/corpus.txt")
      let model = configuration(vocabulary: 320, context: 32) {
        if kind.hasPrefix("gpt2") { gpt2Shaped(&$0) }
        $0.bias = kind == "gpt2" || kind.contains("with biases")
        if kind.contains("scaling") {
          ($0.headSize, $0.tieEmbeddings) = (6, false)
          $0.rotaryScaling = .llama3(factor: 4, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 16)
        }
      }
      var training = PretrainingConfiguration()
      (training.steps, training.batchSize, training.warmup, training.learningRate) = (30, 4, 5, 1e-2)
      (training.finalLearningRate, training.sampleLength, training.precision) = (1e-3, 0, .float32)
      let preset = Preset(name: "test", tokenizer: .bpe, model: model, training: training)
      _ = try TrainingRun(Pretraining(paths: ["\(folder)/corpus.txt"], preset), at: "\(folder)/run").train()
      let exported = "\(folder)/run/model"
      let trained = try TrainedModel(exported, precision: .float32)
      let (loaded, tokenizer) = (trained.model, trained.tokenizer)
      let line = "Line 7: naïve café,  49 €. 漢字\n\n\nend"
      let ids = try tokenizer.encode(line)
      let input = tokens([2, 32], below: loaded.configuration.vocabularySize)
      try SafetensorsFile.write(["logits": loaded.logits(loaded(input))], to: "\(exported)/check.safetensors")
      let rows = (0..<2).map { row in JSONValue.array(input[row].array(of: Int32.self).map { .integer(Int($0)) }) }
      let check: JSONValue = [
        "input_ids": .array(rows), "text": .string(line), "text_ids": .array(ids.map { .integer(Int($0)) }),
      ]
      try AtomicFile.write(check.serialized(), to: "\(exported)/check.json")
      let script = "\(packageFolder)/Tests/Fixtures/generate/check_export.py"
      let (status, output) = try run(try #require(python), [script, exported])
      #expect(status == 0, "\(output)")
      #expect(output.contains("tokenizer: \(ids.count) ids equal"), "\(output)")
    }
  }
}
