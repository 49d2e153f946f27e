import Glibc
import NablaLanguage
import NablaNN
import NablaTensor
import Testing

/// A language of 4 letters that repeats itself after a gap: each letter is the last but one with probability 0.85, and
/// each other letter with 0.05.
///
/// The last letter says nothing (the conditional entropy given it is ln 4 = 1.386), the one before it all there is:
/// 0.588 nats. So a model must attend one letter back and know which that is. A window's first prediction, which has
/// one letter to go by, costs ln 4 whatever the model. Nothing else repeats, so nothing can be memorised, and only a
/// model that sees the answer does better.
private struct EchoLanguage {
  static let hit = 0.85
  var random: RandomSource

  /// Inputs and targets [batch, time], and the mean negative log-likelihood of the targets under the language itself:
  /// what no honest model beats but by chance.
  mutating func batch(_ batch: Int, _ time: Int) -> (inputs: Tensor, targets: Tensor, bayesLoss: Double) {
    var (inputs, targets): ([Int32], [Int32]) = ([], [])
    var nats = 0.0
    for _ in 0..<batch {
      var letters = (0..<2).map { _ in Int32.random(in: 0..<4, using: &random) }
      for t in 0..<time {
        let expected = letters[t]
        let isHit = random.uniform() < Self.hit
        letters.append(isHit ? expected : (expected + Int32.random(in: 1...3, using: &random)) % 4)
        nats -= t == 0 ? log(0.25) : log(isHit ? Self.hit : (1 - Self.hit) / 3)
      }
      inputs += letters[1...time]
      targets += letters[2...(time + 1)]
    }
    let shape = Shape([batch, time])
    return (Tensor(inputs, shape), Tensor(targets, shape), nats / Double(batch * time))
  }
}

@Suite struct LearningTests {
  enum Kind: String, CaseIterable, Sendable {
    case llama, gpt2, original, muon, bfloat16
  }

  /// Trained for a second, each kind of model comes within 0.12 nats of the best possible loss (0.00 to 0.04 is seen),
  /// and not below it (0.01 is left to chance). Untrained it is 0.77 above; without positions 0.44, from what
  /// the mask alone tells of order; with a mask that shows the next letter it falls 0.58 below.
  @Test(arguments: Kind.allCases) func reachesTheEntropy(_ kind: Kind) throws {
    var c = TransformerConfiguration(
      vocabularySize: 4, context: 24, width: 32, layerCount: 1, headCount: 2, feedForwardWidth: 64)
    if kind == .gpt2 || kind == .original { gpt2Shaped(&c) }
    if kind == .original { (c.feedForward, c.normPlacement, c.bias) = (.relu, .post, true) }
    var random = RandomSource(seed: 2)
    let model = TransformerLM(c, random: &random)
    if kind == .bfloat16 { model.computeType = .bfloat16 }
    let steps = 500
    let adam = AdamW(learningRate: cosine(peak: 1e-2, warmup: 50, total: steps), beta2: 0.98, weightDecay: 0.01)
    let optimizer: any Optimizer =
      kind == .muon ? Muon(learningRate: cosine(peak: 0.05, warmup: 50, total: steps), rest: adam) : adam
    var language = EchoLanguage(random: random.split())
    for _ in 0..<steps {
      let (inputs, targets, _) = language.batch(16, 24)
      let (_, gradients) = valueAndGradient(of: model) { $0.loss(inputs, targets: targets) }
      optimizer.update(model, with: gradients.clipped(toNorm: 1))
    }
    var fresh = EchoLanguage(random: random.split())
    let (inputs, targets, bayes) = fresh.batch(400, 24)
    let loss = Double(withoutGradient { model.loss(inputs, targets: targets).item() })
    // (23 · 0.588 + 1.386) / 24, give or take.
    #expect(abs(bayes - 0.6209) < 0.05)
    #expect(loss - bayes < 0.12 && loss - bayes > -0.01, "loss \(loss), the language's own \(bayes)")
  }
}
