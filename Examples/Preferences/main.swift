// Trains a reward model on preference pairs, with a learned inverse temperature β, and measures its calibration.
//
//   swift run -c release Preferences
//
// Each of four kinds of prompts has its own annotators, who prefer the better of two responses with a probability that
// grows with the difference in quality: P(B preferred) = σ(sharpness · (quality B - quality A)). The model sees only
// embeddings.
import Glibc
import Nabla

let kinds = [("safety", 8.0), ("helpfulness", 5.0), ("factuality", 5.0), ("creativity", 2.0)]
let width = 64
/// Pairs of responses and which of the two was preferred. N rows.
struct Comparisons {
  var prompts, a, b: Tensor  // [N, width]
  var kinds: [Int]
  /// Quality of B minus that of A.
  var differences: [Double]
  var prefersB: [Bool]

  var count: Int { kinds.count }

  func rows(_ indices: [Int]) -> Comparisons {
    let places = Tensor(indices.map(Int32.init))
    return Comparisons(
      prompts: prompts.gather(places), a: a.gather(places), b: b.gather(places), kinds: indices.map { kinds[$0] },
      differences: indices.map { differences[$0] }, prefersB: indices.map { prefersB[$0] })
  }
}

func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// A response's embedding is noise, scaled by its quality.
func comparisons(_ count: Int, _ random: inout RandomSource) -> Comparisons {
  let ofKind = (0..<count).map { _ in Int(random.uniform() * 4) }
  let qualities = (0..<count).map { _ in (a: 0.3 + 0.4 * random.uniform(), b: 0.6 + 0.3 * random.uniform()) }
  let differences = qualities.map { $0.b - $0.a }
  return Comparisons(
    prompts: random.normal([count, width]),
    a: random.normal([count, width]) * Tensor(qualities.map { Float($0.a) }, [count, 1]),
    b: random.normal([count, width]) * Tensor(qualities.map { Float($0.b) }, [count, 1]),
    kinds: ofKind, differences: differences,
    prefersB: zip(ofKind, differences).map { random.uniform() < sigmoid(kinds[$0].1 * $1) })
}

/// A score for a response to a prompt, and the inverse temperature β that maps score differences to logits.
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
  func logits(_ rows: Comparisons) -> Tensor { beta * (score(rows.prompts, rows.b) - score(rows.prompts, rows.a)) }

  /// Bradley-Terry: the mean of -ln σ of the logit of the preferred response.
  func loss(_ rows: Comparisons) -> Tensor {
    let signs = Tensor(rows.prefersB.map { $0 ? Float(1) : -1 })
    return bradleyTerryLoss(chosen: signs * logits(rows), rejected: .zeros([rows.count])).mean()
  }
}

func row(_ label: String, _ value: Double, _ note: String = "") {
  let bar = String(repeating: "█", count: Int(min(max(value, 0), 1) * 40))
  print("  \(label.padded(14)) \("\(rounded(value))".padded(6)) \(bar.padded(41)) \(note)")
}

extension String {
  func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
func rounded(_ x: Double) -> Double { (x * 1000).rounded() / 1000 }

/// The fraction of comparisons whose preferred response has the higher score.
func accuracy(_ prefersB: [Bool], _ logits: [Double]) -> Double {
  Double(zip(prefersB, logits).count { $0 == ($1 > 0) }) / Double(max(logits.count, 1))
}

/// Splits [low, high) into equal bins and calls `show` with each bin's label and members.
func bins(_ low: Double, _ high: Double, _ count: Int, of values: [Double], _ show: (String, [Int]) -> Void) {
  let step = (high - low) / Double(count)
  for bin in 0..<count {
    let from = low + step * Double(bin)
    let members = values.indices.filter { values[$0] >= from && values[$0] < from + step }
    if !members.isEmpty { show("\(rounded(from))…\(rounded(from + step))", members) }
  }
}

var random = RandomSource(seed: 42)
let training = comparisons(50_000, &random)  // with 2,000 the model would memorize the rows
let heldOut = comparisons(2000, &random)
let model = PreferenceModel(random: &random)
let optimizer = AdamW(learningRate: { _ in 1e-3 }, weightDecay: 0)

print("Loss and accuracy (\(training.count) comparisons, 4 kinds of prompts)")
for step in 0...500 {
  let batch = training.rows((0..<64).map { _ in Int(random.uniform() * Double(training.count)) })
  let (loss, gradients) = valueAndGradient(of: model) { $0.loss(batch) }
  if step % 100 == 0 {
    let logits = withoutGradient { model.logits(heldOut).array(of: Double.self) }
    let heldOutLoss = withoutGradient { model.loss(heldOut).item() }
    print(
      "  step \(String(step).padded(4)) loss \(rounded(Double(loss.item()))), held-out loss "
        + "\(rounded(Double(heldOutLoss))), held-out accuracy \(rounded(accuracy(heldOut.prefersB, logits))), "
        + "β \(rounded(Double(model.beta.item())))")
  }
  optimizer.update(model, with: gradients.clipped(toNorm: 1))
}

let logits = withoutGradient { model.logits(heldOut).array(of: Double.self) }
let probabilities = logits.map(sigmoid)
let calibration = Calibration(probabilities: probabilities, outcomes: heldOut.prefersB)
print("\nCalibration: how often B was preferred by predicted probability (error \(rounded(calibration.expectedError)))")
for bin in calibration.bins where bin.count > 0 {
  row("predicted \(rounded(bin.predicted))", bin.observed, "\(bin.count) comparisons")
}

print("\nAccuracy by kind of prompt, and the best that annotator noise allows")
for (kind, (name, sharpness)) in kinds.enumerated() {
  let members = heldOut.kinds.indices.filter { heldOut.kinds[$0] == kind }
  let best = members.map { sigmoid(sharpness * abs(heldOut.differences[$0])) }.reduce(0, +) / Double(members.count)
  row(
    name, accuracy(members.map { heldOut.prefersB[$0] }, members.map { logits[$0] }), "best: \(rounded(best))")
}

print("\nEffect of β: held-out loss with the learned β multiplied by a factor")
for factor in [0.0, 0.25, 0.5, 1, 2, 4] {
  let loss = zip(heldOut.prefersB, logits).map { log(1 + exp($0 ? -factor * $1 : factor * $1)) }.reduce(0, +)
  row("\(factor) · β", loss / Double(heldOut.count))
}

print("\nPreference for B by difference in quality")
bins(-0.1, 0.6, 7, of: heldOut.differences) { label, members in
  row(label, Double(members.count { heldOut.prefersB[$0] }) / Double(members.count), "\(members.count) comparisons")
}

print("\nPreference for B by predicted logit, and the mean predicted probability σ")
bins(-3, 6, 9, of: logits) { label, members in
  let predicted = members.map { probabilities[$0] }.reduce(0, +) / Double(members.count)
  row(label, Double(members.count { heldOut.prefersB[$0] }) / Double(members.count), "σ \(rounded(predicted))")
}
