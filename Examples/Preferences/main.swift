// Learns what people prefer from comparisons, with the temperature β learned too, and measures how well.
//
//   swift run -c release Preferences
//
// Four kinds of prompts have annotators of their own, who choose the better of two responses the more surely, the more
// its quality is above the other's: P(B preferred) = σ(sharpness · (quality B - quality A)). The model sees embeddings only.
import Glibc
import Nabla

let kinds = [("safety", 8.0), ("helpfulness", 5.0), ("factuality", 5.0), ("creativity", 2.0)]
let width = 64

struct Comparison {
  var kind: Int
  var prompt, a, b: [Float]
  var qualityDifference: Double
  var prefersB: Bool
}

func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// A response's embedding is noise, as large as its quality.
func comparison(_ random: inout RandomSource) -> Comparison {
  func embedding(_ scale: Double) -> [Float] { random.normal([width], standardDeviation: Float(scale)).array() }
  let kind = Int(random.uniform() * 4)
  let (qualityA, qualityB) = (0.3 + 0.4 * random.uniform(), 0.6 + 0.3 * random.uniform())
  return Comparison(
    kind: kind, prompt: embedding(1), a: embedding(qualityA), b: embedding(qualityB),
    qualityDifference: qualityB - qualityA,
    prefersB: random.uniform() < sigmoid(kinds[kind].1 * (qualityB - qualityA)))
}

/// A score for a response to a prompt, and the temperature that makes differences of scores into probabilities.
final class PreferenceModel: Module {
  let promptEncoder, responseEncoder, scorer: MultilayerPerceptron
  @Parameter var beta: Tensor = 1

  init(hidden: Int = 128, random: inout RandomSource) {
    promptEncoder = MultilayerPerceptron([width, hidden, hidden], activation: .relu, random: &random)
    responseEncoder = MultilayerPerceptron([width, hidden, hidden], activation: .relu, random: &random)
    scorer = MultilayerPerceptron([2 * hidden, hidden, 1], activation: .relu, random: &random)
  }

  /// prompts, responses: [N, width] → [N].
  func score(_ prompts: Tensor, _ responses: Tensor) -> Tensor {
    let features = [promptEncoder(prompts).relu(), responseEncoder(responses).relu()]
    return scorer(.concatenate(features, axis: 1)).reshaped([prompts.shape[0]])
  }

  /// The logit β·(score B - score A) that B is preferred: [N].
  func logits(_ rows: [Comparison]) -> Tensor {
    func matrix(_ field: (Comparison) -> [Float]) -> Tensor { Tensor(rows.flatMap(field), [rows.count, width]) }
    let prompts = matrix(\.prompt)
    return beta * (score(prompts, matrix(\.b)) - score(prompts, matrix(\.a)))
  }

  /// Bradley-Terry: -ln σ of the logit that the preferred one is preferred, averaged.
  func loss(_ rows: [Comparison]) -> Tensor {
    let signs = Tensor(rows.map { $0.prefersB ? Float(1) : -1 })
    return bradleyTerryLoss(chosen: signs * logits(rows), rejected: .zeros([rows.count])).mean()
  }
}

func row(_ label: String, _ value: Double, _ note: String = "") {
  let bar = String(repeating: "█", count: max(0, Int(value * 40)))
  print("  \(label.padded(14)) \(String(Int((value * 1000).rounded())).padded(4))‰ \(bar) \(note)")
}

extension String {
  func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
func rounded(_ x: Double) -> Double { (x * 1000).rounded() / 1000 }

/// The share of rows whose preferred response has the higher score.
func accuracy(_ rows: [Comparison], _ logits: [Double]) -> Double {
  Double(zip(rows, logits).count { $0.prefersB == ($1 > 0) }) / Double(max(rows.count, 1))
}

/// Cuts [low, high) into equal bins and shows in each what `value` makes of the members.
func bins(_ low: Double, _ high: Double, _ count: Int, of values: [Double], _ show: (String, [Int]) -> Void) {
  let step = (high - low) / Double(count)
  for bin in 0..<count {
    let from = low + step * Double(bin)
    let members = values.indices.filter { values[$0] >= from && values[$0] < from + step }
    if !members.isEmpty { show("\(rounded(from))…\(rounded(from + step))", members) }
  }
}

var random = RandomSource(seed: 42)
let training = (0..<2000).map { _ in comparison(&random) }
let heldOut = (0..<2000).map { _ in comparison(&random) }
let model = PreferenceModel(random: &random)
let optimizer = AdamW(learningRate: { _ in 1e-3 }, weightDecay: 0)

print("Loss and accuracy (\(training.count) comparisons, 4 kinds of prompts)")
for step in 0...500 {
  let batch = random.permutation(training.count).prefix(64).map { training[$0] }
  let (loss, gradients) = valueAndGradient(of: model) { $0.loss(batch) }
  if step % 100 == 0 {
    let logits = withoutGradient { model.logits(heldOut).array(of: Double.self) }
    let heldOutLoss = withoutGradient { model.loss(heldOut).item() }
    print(
      "  step \(String(step).padded(4)) loss \(rounded(Double(loss.item()))), held-out loss "
        + "\(rounded(Double(heldOutLoss))), held-out accuracy \(rounded(accuracy(heldOut, logits))), "
        + "β \(rounded(Double(model.beta.item())))")
  }
  optimizer.update(model, with: gradients.clipped(toNorm: 1))
}

let logits = withoutGradient { model.logits(heldOut).array(of: Double.self) }
let probabilities = logits.map(sigmoid)
let calibration = Calibration(probabilities: probabilities, outcomes: heldOut.map(\.prefersB))
print("\nCalibration: how often B was preferred where the model says so (error \(rounded(calibration.expectedError)))")
for bin in calibration.bins where bin.count > 0 {
  row("says \(Int((bin.predicted * 1000).rounded()))‰", bin.observed, "\(bin.count) comparisons")
}

print("\nWhat annotators of each kind allow, and what the model reaches")
for (kind, (name, sharpness)) in kinds.enumerated() {
  let members = heldOut.indices.filter { heldOut[$0].kind == kind }
  let best =
    members.map { sigmoid(sharpness * abs(heldOut[$0].qualityDifference)) }.reduce(0, +) / Double(members.count)
  row(name, accuracy(members.map { heldOut[$0] }, members.map { logits[$0] }), "of \(Int((best * 1000).rounded()))‰")
}

print("\nEffect of β: the loss on held-out comparisons if the learned β were multiplied")
for factor in [0.0, 0.25, 0.5, 1, 2, 4] {
  let loss = zip(heldOut, logits).map { log(1 + exp($0.prefersB ? -factor * $1 : factor * $1)) }.reduce(0, +)
  row("\(factor) · β", loss / Double(heldOut.count))
}

print("\nPreference for B by difference of quality")
bins(-0.1, 0.6, 7, of: heldOut.map(\.qualityDifference)) { label, members in
  row(label, Double(members.count { heldOut[$0].prefersB }) / Double(members.count), "\(members.count) comparisons")
}

print("\nσ of the model's own differences of scores, and what was preferred there")
bins(-3, 6, 9, of: logits) { label, members in
  let predicted = members.map { probabilities[$0] }.reduce(0, +) / Double(members.count)
  row(label, Double(members.count { heldOut[$0].prefersB }) / Double(members.count), "σ \(rounded(predicted))")
}
