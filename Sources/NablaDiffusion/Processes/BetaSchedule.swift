import Glibc

/// How the variance of the noise added at each step, β, grows over the steps of a discrete process.
///
/// The ends of the first two and of `sigmoid` are those for T = 1000 steps. With another T they are scaled by 1000/T,
/// so that equally little of the data remains at the end: the schedule for 1000 steps, used unchanged with T = 100,
/// would leave ᾱ_T = 0.36, and sampling would start from noise that training never saw.
public enum BetaSchedule: String, Sendable, Codable, CaseIterable {
  /// β linear from 10⁻⁴ to 0.02 (Ho et al. 2020, "Denoising diffusion probabilistic models").
  case linear
  /// √β linear, with β from 0.00085 to 0.012 (Rombach et al. 2022, "Latent diffusion models").
  case scaledLinear = "scaled_linear"
  /// ᾱ = cos²(π/2 · (t + 0.008)/1.008), β at most 0.999 (Nichol & Dhariwal 2021, "Improved DDPM").
  case cosine
  /// β along a logistic curve from 10⁻⁴ to 0.02 (Xu et al. 2022, "GeoDiff").
  case sigmoid

  /// The usual first and last β at T = 1000. The cosine schedule has none.
  public var standardRange: (first: Double, last: Double) {
    switch self {
    case .scaledLinear: (0.00085, 0.012)
    default: (0.0001, 0.02)
    }
  }

  /// β₁ … β_T.
  ///
  /// - Parameters:
  ///   - count: T, the number of steps.
  ///   - range: the first and last β; nil for the standard ones, scaled by 1000/T.
  public func betas(_ count: Int, range: (first: Double, last: Double)? = nil) -> [Double] {
    let scale = 1000 / Double(count)
    let (first, last) = range ?? (standardRange.first * scale, standardRange.last * scale)
    func along(_ from: Double, _ to: Double, _ i: Int) -> Double {
      count == 1 ? from : from + (to - from) * Double(i) / Double(count - 1)
    }
    return (0..<count).map { i in
      switch self {
      case .linear: return along(first, last, i)
      case .scaledLinear:
        let root = along(first.squareRoot(), last.squareRoot(), i)
        return root * root
      case .cosine:
        func alphaBar(_ t: Double) -> Double { pow(cos((t + 0.008) / 1.008 * .pi / 2), 2) }
        return min(1 - alphaBar(Double(i + 1) / Double(count)) / alphaBar(Double(i) / Double(count)), 0.999)
      case .sigmoid: return first + (last - first) / (1 + exp(-along(-6, 6, i)))
      }
    }
  }
}

/// ᾱ_t = Π (1 - β_s), s ≤ t.
func cumulativeAlphas(_ betas: [Double]) -> [Double] {
  var product = 1.0
  return betas.map { beta in
    product *= 1 - beta
    return product
  }
}

/// √ᾱ shifted and scaled so that the last is 0 and the first is unchanged (Lin et al. 2024, "Common diffusion noise
/// schedules and sample steps are flawed", algorithm 1): the last step is then pure noise.
func zeroTerminalSignal(_ alphaBars: [Double]) -> [Double] {
  let roots = alphaBars.map { $0.squareRoot() }
  let (first, last) = (roots.first!, roots.last!)
  return roots.map { root in
    let shifted = (root - last) * first / (first - last)
    return shifted * shifted
  }
}
