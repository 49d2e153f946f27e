import Glibc
import NablaFormats
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
      object["skipped"] = "the gradient norm 312.5 is more than 10 times the median 0.71"
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

/// Attention of the kinds that models learn: to the previous token, to the first one, to all alike, to near ones.
func exampleAnalysis(text: String, layers: Int = 3, heads: Int = 4, positions: Analysis.Positions? = nil) -> Analysis {
  var tokens: [String] = []
  for character in text {
    if character == " " || tokens.isEmpty || tokens[tokens.count - 1].count > 4 { tokens.append("") }
    tokens[tokens.count - 1].append(character)
  }
  let count = tokens.count
  let attention = (0..<layers).map { layer in
    (0..<heads).map { head in
      (0..<count).flatMap { query -> [Float] in
        let scores = (0...query).map { key -> Double in
          let distance = Double(query - key)
          switch (layer + head) % 4 {
          case 0: return distance == 1 ? 4 : 0
          case 1: return key == 0 ? 3.5 : -0.1 * distance
          case 2: return 0
          default: return -distance / Double(2 + layer) + 2 * cos(distance)
          }
        }
        let weights = scores.map { exp($0) }
        let sum = weights.reduce(0, +)
        return weights.map { Float($0 / sum) } + [Float](repeating: 0, count: count - query - 1)
      }
    }
  }
  return Analysis(text: text, tokens: tokens, attention: attention, positions: positions)
}

/// The sines and cosines of Vaswani et al. (2017), section 3.5.
func sinusoids(positions: Int, width: Int) -> [[Float]] {
  (0..<positions).map { position in
    (0..<width).map { dimension in
      let angle = Double(position) / pow(10_000, Double(dimension / 2 * 2) / Double(width))
      return Float(dimension % 2 == 0 ? sin(angle) : cos(angle))
    }
  }
}

/// The JSON in the script element with this id.
func island(_ id: String, in page: String) throws -> JSONValue? {
  let start = #"<script type="application/json" id="\#(id)">"#
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
