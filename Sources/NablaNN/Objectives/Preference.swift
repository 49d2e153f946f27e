import NablaTensor

// Learning from preference pairs: of two completions of a prompt, y_w was chosen and y_l rejected. B pairs; every loss
// is [B], one per pair, so that the caller decides how to average.

/// The reward model's loss (Bradley & Terry 1952; Ouyang et al. 2022): the chosen completion's reward is larger
/// by a margin.
///
///     L = -ln σ(r_w - r_l - margin) + c·(r_w + r_l)²
///
/// The pairs do not determine the level of the rewards; the second term keeps it near 0 (Eisenstein et al. 2023).
///
/// - Parameters:
///   - chosen: r_w: [B].
///   - rejected: r_l: [B].
///   - margin: [B], how strongly the chosen one is preferred (Llama 2); nil for 0.
///   - centering: c.
public func bradleyTerryLoss(
  chosen: Tensor, rejected: Tensor, margin: Tensor? = nil, centering: Float = 0
) -> Tensor {
  let difference = chosen - rejected
  let loss = -(margin.map { difference - $0 } ?? difference).logSigmoid()
  return centering == 0 ? loss : loss + Tensor(centering) * (chosen + rejected).square()
}

/// ln π(y|x) of each pair's completions, summed over their tokens.
public struct PreferenceLogProbabilities {
  /// Of the model being trained: [B].
  public private(set) var chosen, rejected: Tensor
  /// Of the frozen reference: [B]. Zeros for a reference-free loss.
  public let referenceChosen, referenceRejected: Tensor
  /// Tokens of each completion: [B].
  public let chosenLengths, rejectedLengths: Tensor

  /// - Parameters:
  ///   - chosen: [B], Σ ln π of each chosen completion.
  ///   - rejected: [B], of the rejected ones.
  ///   - reference: nil for a reference-free loss: π_ref is the same for every completion.
  ///   - chosenLengths: [B], in tokens; used by length-normalized losses.
  ///   - rejectedLengths: [B].
  public init(
    chosen: Tensor, rejected: Tensor, reference: (chosen: Tensor, rejected: Tensor)?, chosenLengths: [Int],
    rejectedLengths: [Int]
  ) {
    let pairs = chosenLengths.count
    for tensor in [chosen, rejected, reference?.chosen ?? chosen, reference?.rejected ?? rejected] {
      precondition(tensor.shape == [pairs], "preference pairs: shape \(tensor.shape) for \(pairs) lengths")
    }
    precondition(rejectedLengths.count == pairs, "preference pairs: \(rejectedLengths.count) lengths, not \(pairs)")
    (self.chosen, self.rejected) = (chosen, rejected)
    referenceChosen = reference?.chosen.stopGradient() ?? .zeros([pairs])
    referenceRejected = reference?.rejected.stopGradient() ?? .zeros([pairs])
    self.chosenLengths = Tensor(chosenLengths.map { Float(max($0, 1)) })
    self.rejectedLengths = Tensor(rejectedLengths.map { Float(max($0, 1)) })
  }

  /// The same values, detached from the graph.
  public var constant: PreferenceLogProbabilities {
    var copy = self
    (copy.chosen, copy.rejected) = (chosen.stopGradient(), rejected.stopGradient())
    return copy
  }

  /// ln π(y|x)/π_ref(y|x): [B].
  public var logRatios: (chosen: Tensor, rejected: Tensor) {
    (chosen - referenceChosen, rejected - referenceRejected)
  }

  /// The implicit reward: the reward for which π is the optimal policy, up to a constant per prompt: β·ln π/π_ref.
  /// No gradient flows through it.
  public func implicitRewards(beta: Tensor) -> (chosen: Tensor, rejected: Tensor) {
    withoutGradient { (beta.stopGradient() * logRatios.chosen, beta.stopGradient() * logRatios.rejected) }
  }
}

/// A loss of direct preference optimization (Rafailov et al. 2023), under TRL's name.
public enum DPOLoss: String, Sendable, Codable, CaseIterable {
  /// -ln σ(z). With label smoothing ε, "conservative DPO" (Mitchell 2023): a fraction ε of the labels is wrong.
  case sigmoid
  /// (Δ/length - 1/2β)², where Δ of each completion is taken per token (Azar et al. 2023).
  case ipo
  /// max(0, 1 - z) (Zhao et al. 2023, SLiC).
  case hinge
  /// -((1 - ε)·ln σ(z) - ε·ln σ(-z)) / (1 - 2ε): unbiased if a fraction ε of the pairs is flipped (Chowdhury et al.
  /// 2024).
  case robust
  /// -ln σ(β·Δ/length), where Δ of each completion is taken per token.
  case sigmoidNorm = "sigmoid_norm"
  /// KL(σ(z) ‖ 1 - ε) of the model's preference and the smoothed label's; needs ε > 0 (Ji et al. 2024).
  case exoPair = "exo_pair"
  /// -ln σ(s_w) - ½·ln σ(-s_w) - ½·ln σ(-s_l): the chosen likelihood does not fall (Chen et al. 2024).
  case ncaPair = "nca_pair"
  /// -ln σ(s_w) - ln σ(-s_l): a classifier of good and bad (Jung et al. 2024, without its shift).
  case bcoPair = "bco_pair"
  /// (s_w/β - 1/2β)² + (s_l/β + 1/2β)² (Wu et al. 2024).
  case sppoHard = "sppo_hard"
  /// (1 - σ(s_w)) + σ(s_l): the chosen completion is better than the model (D'Oosterlinck et al. 2024).
  case apoZero = "apo_zero"
  /// σ(s_w) + (1 - σ(z)): the chosen completion is worse than the model (the same).
  case apoDown = "apo_down"

  /// The loss of each pair: [B].
  ///
  ///     s = β·ln π(y|x)/π_ref(y|x)        the implicit reward of a completion
  ///     z = s_w - s_l                     the logit that the chosen one is preferred
  ///
  /// - Parameters:
  ///   - pairs: B pairs.
  ///   - beta: β > 0, a scalar: how closely the model is kept to the reference. It receives a gradient if it is
  ///     learned.
  ///   - labelSmoothing: ε in 0..<½, the fraction of wrongly labeled pairs; used by `sigmoid`, `robust`, `exoPair`.
  public func callAsFunction(
    _ pairs: PreferenceLogProbabilities, beta: Tensor = 0.1, labelSmoothing: Float = 0
  ) -> Tensor {
    let ratios = pairs.logRatios
    let (chosen, rejected) = (beta * ratios.chosen, beta * ratios.rejected)
    let z = chosen - rejected
    let (ε, trust) = (Tensor(labelSmoothing), Tensor(1 - labelSmoothing))
    func perToken() -> Tensor { ratios.chosen / pairs.chosenLengths - ratios.rejected / pairs.rejectedLengths }

    switch self {
    case .sigmoid:
      return labelSmoothing == 0 ? -z.logSigmoid() : -(trust * z.logSigmoid() + ε * (-z).logSigmoid())
    case .ipo:
      return (perToken() - 0.5 / beta).square()
    case .hinge:
      return (1 - z).relu()
    case .robust:
      return (ε * (-z).logSigmoid() - trust * z.logSigmoid()) / Tensor(1 - 2 * labelSmoothing)
    case .sigmoidNorm:
      return -(beta * perToken()).logSigmoid()
    case .exoPair:
      precondition(labelSmoothing > 0, "exo_pair: label smoothing must be more than 0")
      return z.sigmoid() * (z.logSigmoid() - trust.log()) + (-z).sigmoid() * ((-z).logSigmoid() - ε.log())
    case .ncaPair:
      return -chosen.logSigmoid() - 0.5 * (-chosen).logSigmoid() - 0.5 * (-rejected).logSigmoid()
    case .bcoPair:
      return -chosen.logSigmoid() - (-rejected).logSigmoid()
    case .sppoHard:
      return (ratios.chosen - 0.5 / beta).square() + (ratios.rejected + 0.5 / beta).square()
    case .apoZero:
      return (1 - chosen.sigmoid()) + rejected.sigmoid()
    case .apoDown:
      return chosen.sigmoid() + (1 - z.sigmoid())
    }
  }
}
