import NablaLanguage
import NablaNN
import NablaTensor

extension RLHFStep {
  /// DPO on one of the reader's choices. What is trained is a shift of the model's last hidden state, C numbers, the same
  /// at every token: a very small adapter, so that steps take a fraction of a second.
  struct Tuned: Encodable {
    struct Side: Encodable {
      var text: String
      var tokens: Int
      /// ln π_ref(y|x), nats.
      var reference: Double
    }

    struct Step: Encodable {
      /// ln π/π_ref of the chosen and of the rejected completion, nats.
      var chosen, rejected: Double
      /// Their difference, Δ.
      var margin: Double
      var loss: Double
      /// σ(-βΔ): how much of the pull is left.
      var weight: Double
    }

    var prompt: String
    var chosen, rejected: Side
    var parameters: Int
    var steps: [Step]
  }

  static let tuningSteps = 12
  /// By how much the first step widens the margin, nats, to first order and whatever β is.
  static let firstStep: Float = 2

  static let tune = Computation.answer("tune") { query, studio in
    let beta = Float(try query.number("beta", in: 0.01...5, default: 0.1))
    let index = try query.integer("index", in: 0...CompletionPair.largestCount - 1, default: 0)
    let pair = try CompletionPair.sampled(index, seed: query.seed(), by: studio)
    let isFirst = try query.flag("first", default: true)
    let (chosen, rejected) = isFirst ? (pair.first, pair.second) : (pair.second, pair.first)
    return try studio.model.use(recordsGradients: true) { loaded in
      let prompt = try loaded.prompt(pair.prompt)
      // The output layer is linear: what a shift adds to the logits is the same at every token, so the logits of the
      // hidden states themselves are computed once.
      let logits = [chosen, rejected].map { loaded.logits(of: $0.tokens, after: prompt) }
      let targets = [Tensor(chosen.tokens), Tensor(rejected.tokens)]
      func logProbability(_ side: Int, _ shift: Tensor) -> Tensor {
        (logits[side] + shift).logProbabilitiesAndEntropies(targets: targets[side]).logProbabilities.sum().reshaped([1])
      }
      let width = loaded.model.configuration.width
      let bias = loaded.model.logits(Tensor.zeros([1, width]))
      var shift = Tensor.zeros([1, width])
      let reference = [0, 1].map { logProbability($0, .zeros(bias.shape)) }
      var (rate, steps): (Float, [Tuned.Step]) = (0, [])
      for step in 0...tuningSteps {
        var pairs: PreferenceLogProbabilities?
        let (loss, gradient) = valueAndGradient(at: [shift]) { shift in
          let added = loaded.model.logits(shift[0]) - bias
          let now = PreferenceLogProbabilities(
            chosen: logProbability(0, added), rejected: logProbability(1, added),
            reference: (reference[0], reference[1]), chosenLengths: [chosen.tokens.count],
            rejectedLengths: [rejected.tokens.count])
          pairs = now.constant
          return DPOLoss.sigmoid(now, beta: Tensor(beta)).sum()
        }
        let ratios = pairs!.logRatios
        let margin = ratios.chosen - ratios.rejected
        steps.append(
          Tuned.Step(
            chosen: Double(ratios.chosen.item()), rejected: Double(ratios.rejected.item()),
            margin: Double(margin.item()), loss: Double(loss.item()),
            weight: Double((-(Tensor(beta) * margin)).sigmoid().item())))
        let square = gradient[0].square().sum().item()
        // The first gradient is -β/2·∇Δ, so this rate makes Δ grow by `firstStep`.
        if step == 0, square > 0 { rate = firstStep * beta / (2 * square) }
        shift = shift - Tensor(rate) * gradient[0]
      }
      func side(_ completion: SampledCompletion, _ reference: Tensor) -> Tuned.Side {
        Tuned.Side(text: completion.text, tokens: completion.tokens.count, reference: Double(reference.item()))
      }
      return Tuned(
        prompt: pair.prompt, chosen: side(chosen, reference[0]), rejected: side(rejected, reference[1]),
        parameters: shift.count, steps: steps)
    }
  }
}

extension StudioModel.Loaded {
  /// The logits of each token of a completion: [t, V].
  fileprivate func logits(of completion: [Int32], after prompt: [Int32]) -> Tensor {
    let tokens = prompt + completion
    let hidden = model(Tensor(tokens, [1, tokens.count]))[0]
    return model.logits(hidden[prompt.count - 1..<tokens.count - 1])
  }
}
