import Glibc
import NablaDiffusion
import NablaNN
import NablaScaling
import NablaTensor

extension StudioStep {
  /// Step 8: the equations to keep, each with a curve of its own.
  static let summary = StudioStep(
    "summary", title: "Summary",
    computations: [
      SummaryStep.miniature.recorded(
        SummaryStep.Equation.allCases.flatMap { equation in
          equation.recorded.map { ["equation": equation.rawValue, "x": "\($0)"] }
        })
    ])
}

enum SummaryStep {
  /// An equation as a function of one number.
  struct Miniature: Encodable {
    /// The function over the range of the control.
    var points: [[Double]]
    var x, y: Double
  }

  enum Equation: String, CaseIterable {
    case attention, rope, gqa, ppo, grpo, dpo, lora, chinchilla, ddpm

    /// What x may be.
    var range: ClosedRange<Double> {
      switch self {
      case .attention: 0...8
      case .rope: 0...48
      case .gqa: 0...6
      case .ppo: 0...2
      case .grpo: -2...4
      case .dpo: -40...40
      case .lora: 0...8
      case .chinchilla: 18...27
      case .ddpm: 0...999
      }
    }

    /// Values of x that an exported page knows.
    var recorded: [Double] {
      [start] + (0...8).map { range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 8 }
    }

    var start: Double {
      switch self {
      case .attention, .grpo: 2
      case .rope: 8
      case .gqa: 3
      case .ppo: 1.3
      case .dpo: 10
      case .lora: 3
      case .chinchilla: 23.76
      case .ddpm: 400
      }
    }
  }

  static let miniature = Computation.answer("miniature") { query, _ in
    let equation = try query.choice("equation", default: Equation.attention)
    let range = equation.range
    let x = try query.number("x", in: range, default: equation.start)
    let f = try function(equation)
    let step = (range.upperBound - range.lowerBound) / 80
    let points = (0...80).map { i -> [Double] in
      let x = range.lowerBound + Double(i) * step
      return [x, f(x)]
    }
    return Miniature(points: points, x: x, y: f(x))
  }

  /// Each by the library's own function.
  private static func function(_ equation: Equation) throws -> @Sendable (Double) -> Double {
    switch equation {
    case .attention:
      // The weight of a key whose score is x above that of nine others.
      return { x in
        let scores = Tensor([Float(x)] + Array(repeating: 0, count: 9), [1, 10])
        return Double(scores.softmax().array()[0])
      }
    case .rope:
      // The score of a vector of ones with itself, x positions apart.
      let frequencies = rotaryFrequencies(size: 64, base: 10_000).frequencies
      return { x in frequencies.reduce(0) { $0 + cos(x * $1) } / Double(frequencies.count) }
    case .gqa:
      // Gibibytes for 80 layers, 2^x key/value heads of 128, 32,768 positions, two bytes a number.
      return { x in 2 * 80 * pow(2, x) * 128 * 32_768 * 2 / 0x1p30 }
    case .ppo:
      // An action that went better than expected by one, at a probability ratio of x.
      return { x in
        let objective = clippedSurrogate(
          ratio: Tensor([Float(x)]), advantages: Tensor([1]), clipLow: 0.2, clipHigh: 0.2)
        return Double(objective.item())
      }
    case .grpo:
      // The advantage of an answer with reward x beside three with rewards 0, 0 and 1.
      return { x in Double(groupAdvantages([x, 0, 0, 1], groupSize: 4).advantages[0]) }
    case .dpo:
      // The loss of a pair whose chosen answer has gained x nats more than the rejected one; β = 0.1.
      return { x in
        let pair = PreferenceLogProbabilities(
          chosen: Tensor([Float(x)]), rejected: Tensor([0]), reference: (Tensor([0]), Tensor([0])), chosenLengths: [1],
          rejectedLengths: [1])
        return Double(DPOLoss.sigmoid(pair, beta: 0.1).mean().item())
      }
    case .lora:
      // How many times fewer numbers a rank of 2^x has in a matrix of 12,288 × 12,288.
      return { x in 12_288 * 12_288 / (2 * 12_288 * pow(2, x)) }
    case .chinchilla:
      return { x in Chinchilla.besiroglu.optimalLoss(compute: pow(10, x)) }
    case .ddpm:
      // How much of a picture is left at step x of 1,000: √ᾱ.
      let process = try DiscreteProcess(.linear)
      return { x in process.alphaBars[Int(x.rounded())].squareRoot() }
    }
  }
}
