import Glibc
import NablaFormats
import NablaReport
import NablaTraining

/// A configuration of a language-model run.
struct RunConfiguration: Encodable {
  struct Model: Encodable {
    var preset = "small"
    var layers = 3
    var width = 96
    var heads = 4
    var context = 64
    var vocabularySize = 4_096
    var parameterCount = 10_800_000
    var note = ""
  }
  struct Training: Encodable {
    var steps = 2_000
    var batchSize = 8
    var learningRate = 1e-3
    var precision = "bfloat16"
  }
  struct Data: Encodable {
    var paths = ["corpus/sources.txt", "corpus/documents.txt"]
    var hash = "5f16fb4ca6cf3bdfdd6fbf6ae29f1c3a"
    var bytes = 1_115_394
    var tokens = 338_025
  }

  var model = Model()
  var training = Training()
  var data = Data()
}

/// A run like those training writes: curves from plain formulas with noise, spikes and two skipped steps.
func writeMetrics(of run: RunFolder, steps: Int = 2_000) throws {
  var random = SplitMix(state: 7)
  let noise = { (scale: Double) in scale * (Double.random(in: -1...1, using: &random)) }
  let writer = try FileWriter(path: run.metricsPath)
  for step in 1...steps {
    let progress = Double(step) / Double(steps)
    let rate = step < 100 ? 1e-3 * Double(step) / 100 : 1e-4 + 9e-4 * (1 + cos(.pi * progress)) / 2
    let clean = 1.35 + 6.9 * exp(-progress * 9) + 0.6 * exp(-progress * 2)
    var object: JSONObject = JSONObject([("step", .integer(step)), ("time", .number(1_763_000_000 + Double(step) / 4))])
    if step == 700 || step == 1_400 {
      object["loss"] = .null
      object["skipped"] = 1
      object["skip_reason"] = "the gradient norm 312.5 is more than 10 times the median 0.71"
    } else {
      object["loss"] = .number(clean + noise(0.12))
      object["gradient_norm"] = .number(0.6 + 3 * exp(-progress * 20) + noise(0.2) + (step % 411 == 0 ? 5 : 0))
    }
    object["learning_rate"] = .number(rate)
    object["tokens_per_second"] = .number(9_000 + noise(500))
    object["tflops"] = .number(0.58 + noise(0.03))
    object["memory_bytes"] = .integer(412_000_000 + min(step, 300) * 100_000)
    object["tokens"] = .integer(step * 2_048)
    object["seconds"] = .number(Double(step) * 0.2276)
    if step % 100 == 0 {
      object["validation_loss"] = .number(clean + 0.08 + 0.15 * progress * progress)
      object["validation_bits_per_byte"] = .number((clean + 0.1) / 2.3)
    }
    try writer.write(JSONValue.object(object).serialized() + "\n")
  }
  try writer.close(synchronizing: false)
}

/// The JSON in the script element with this id.
func island(_ id: String, in page: String) throws -> JSONValue? {
  let start = #"id="\#(id)">"#
  guard let from = page.firstRange(of: start)?.upperBound,
    let to = page[from...].firstRange(of: "</script>")?.lowerBound
  else { return nil }
  return try JSONValue(parsing: String(page[from..<to]))
}

extension String {
  func firstRange(of other: String) -> Range<Index>? { self[...].firstRange(of: other) }
}

extension Substring {
  /// By bytes: `Collection.firstRange` of Strings compares by Unicode equivalence, and slowly.
  func firstRange(of other: String) -> Range<Index>? {
    let (bytes, wanted) = (Array(utf8), Array(other.utf8))
    guard wanted.count <= bytes.count else { return nil }
    for start in 0...(bytes.count - wanted.count) where bytes[start] == wanted[0] {
      if bytes[start..<start + wanted.count].elementsEqual(wanted) {
        let from = utf8.index(startIndex, offsetBy: start)
        return from..<utf8.index(from, offsetBy: wanted.count)
      }
    }
    return nil
  }
}
