/// The process of denoising diffusion probabilistic models (Ho et al. 2020), of T steps numbered from 0:
///
///     q(x_t | x₀) = N(√ᾱ_t · x₀, 1 - ᾱ_t)        ᾱ_t = Π (1 - β_s), s ≤ t
public struct DiscreteProcess: Sendable, Hashable {
  /// ᾱ_t, falling.
  public let alphaBars: [Double]

  /// - Parameters:
  ///   - schedule: gives β₁ … β_T.
  ///   - count: T, the number of steps.
  ///   - zeroTerminalSNR: whether ᾱ is rescaled so that no signal remains at the last step.
  /// - Throws: ``DiffusionError`` if T is too small for the schedule (a β of 1 or more), or if signal remains at the
  ///   end.
  public init(_ schedule: BetaSchedule, count: Int = 1000, zeroTerminalSNR: Bool = false) throws(DiffusionError) {
    guard count >= 2 else {
      throw .invalid(field: "steps", "\(count) is too few: a discrete process requires at least 2")
    }
    try self.init(betas: schedule.betas(count), zeroTerminalSNR: zeroTerminalSNR)
  }

  /// A process with any β schedule, used as is.
  public init(betas: [Double], zeroTerminalSNR: Bool = false) throws(DiffusionError) {
    guard betas.count >= 2 else {
      throw .invalid(field: "betas", "\(betas.count) numbers; a discrete process requires at least 2 steps")
    }
    // A last β of 1 leaves no signal at all: zero terminal SNR, written out.
    let wrong = betas.indices.first { !(betas[$0] > 0 && (betas[$0] < 1 || betas[$0] == 1 && $0 == betas.count - 1)) }
    if let wrong {
      throw .invalid(
        field: "betas",
        "β is \(betas[wrong]) at step \(wrong) of \(betas.count); it must be between 0 and 1 "
          + "(use more steps, or the cosine schedule)")
    }
    let cumulative = cumulativeAlphas(betas)
    alphaBars = zeroTerminalSNR ? zeroTerminalSignal(cumulative) : cumulative
    guard alphaBars.last! < 0.05 else {
      throw .invalid(
        field: "betas",
        "ᾱ is still \(Float(alphaBars.last!)) after \(betas.count) steps, so sampling from pure noise "
          + "would start where training never was: scale β by 1000/\(betas.count) if the schedule is for 1000 steps")
    }
  }

  /// T.
  public var count: Int { alphaBars.count }

  /// Whether no signal remains at the last step. The prediction then cannot be the noise.
  public var hasZeroTerminalSNR: Bool { alphaBars.last == 0 }

  public func level(at step: Int) -> NoiseLevel { NoiseLevel(alphaBar: alphaBars[step]) }

  /// A step per row, uniform on 0 … T - 1.
  public func randomSteps(_ rows: Int, random: inout some RandomNumberGenerator) -> [Int] {
    (0..<rows).map { _ in Int.random(in: 0..<count, using: &random) }
  }
}

/// An invalid setting. The description names the field and what to do.
public enum DiffusionError: Error, Equatable, CustomStringConvertible {
  case invalid(field: String, String)
  /// Samples contain NaN or infinity.
  case samplesNotFinite

  public var description: String {
    switch self {
    case .invalid(let field, let problem): "\(field): \(problem)"
    case .samplesNotFinite:
      "the samples are not finite: the sampler diverged; take more steps, less guidance or another sampler"
    }
  }
}
