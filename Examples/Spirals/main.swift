// Classifies the points of two intertwined spirals with a small network.
//
//   swift run -c release Spirals
import Glibc
import Nabla

/// Points of two arms that wind around each other, with some noise: points [N, 2], labels [N].
func spirals(_ count: Int, random: inout RandomSource) -> (points: Tensor, labels: Tensor) {
  var points: [Float] = []
  var labels: [Int32] = []
  for i in 0..<count {
    let label = i % 2
    let turn = random.uniform()  // how far along the arm
    let angle = 3.5 * .pi * turn + .pi * Double(label)
    for coordinate in [cos(angle), sin(angle)] {
      points.append(Float((0.1 + turn) * coordinate + 0.03 * (random.uniform() - 0.5)))
    }
    labels.append(Int32(label))
  }
  return (Tensor(points, [count, 2]), Tensor(labels, [count]))
}

final class Classifier: Module {
  let first, second, output: Linear

  init(width: Int, random: inout RandomSource) {
    first = Linear(2, width, random: &random)
    second = Linear(width, width, random: &random)
    output = Linear(width, 2, random: &random)
  }

  /// x: [N, 2] → logits of the two arms: [N, 2].
  func callAsFunction(_ x: Tensor) -> Tensor { output(second(first(x).tanh()).tanh()) }
}

/// The fraction of points classified correctly.
func accuracy(_ model: Classifier, _ points: Tensor, _ labels: Tensor) -> Float {
  withoutGradient {
    let guesses = model(points).argmax(axis: 1).array(of: Int32.self)
    let right = zip(guesses, labels.array(of: Int32.self)).count { $0 == $1 }
    return Float(right) / Float(guesses.count)
  }
}

var random = RandomSource(seed: 1)
let training = spirals(1000, random: &random)
let test = spirals(1000, random: &random)  // points the model never sees in training
let model = Classifier(width: 32, random: &random)
let steps = 600
let optimizer = AdamW(learningRate: cosine(peak: 2e-2, warmup: 20, total: steps))

print(model)
for step in 0...steps {
  let (loss, gradients) = valueAndGradient(of: model) { $0(training.points).crossEntropy(training.labels) }
  if step % 100 == 0 {
    print("step \(step): loss \(loss.item()), test accuracy \(accuracy(model, test.points, test.labels))")
  }
  optimizer.update(model, with: gradients)
}
