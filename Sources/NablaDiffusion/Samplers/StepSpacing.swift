import Glibc

/// Which of the T steps of a discrete process a sampler of n steps visits (Lin et al. 2024, table 2).
public enum StepSpacing: String, Sendable, Codable, CaseIterable {
  /// 0, ⌊T/n⌋, 2⌊T/n⌋, …: never visits the noisiest step.
  case leading
  /// T - 1, T - 1 - T/n, …: never visits the cleanest.
  case trailing
  /// Both ends, and evenly spaced steps in between.
  case linspace
  /// σ/α from `karrasSigmas`; times between the steps of the schedule.
  case karras
}

/// The end of a sampler's last step.
public enum FinalStep: String, Sendable, Codable, CaseIterable {
  /// To data without noise ("set_alpha_to_one").
  case clean
  /// To the noise level of step 0 of the schedule.
  case first
}

extension DiscreteProcess {
  /// The steps of a sampler, noisiest first; the last entry is the end of the last step: n + 1 in total.
  ///
  /// - Parameters:
  ///   - n: the number of steps, in 1 … T.
  ///   - spacing: which of the T steps are taken.
  ///   - final: the end of the last step.
  ///   - offset: added to each step of the leading spacing (1 in Stable Diffusion).
  /// - Throws: ``DiffusionError`` if n is not in 1 … T.
  public func steps(
    _ n: Int, spacing: StepSpacing = .trailing, final: FinalStep = .clean, offset: Int = 0
  ) throws(DiffusionError) -> [NoiseStep] {
    guard 1...count ~= n else {
      throw .invalid(field: "sampling steps", "\(n) of a process of \(count) steps; use 1 to \(count)")
    }
    let visited: [Int]
    switch spacing {
    case .leading:
      // With an offset and n = T the first would be beyond the schedule.
      visited = (0..<n).reversed().map { min($0 * (count / n) + offset, count - 1) }
    case .trailing:
      visited = (0..<n).map {
        Int((Double(count) - Double($0) * Double(count) / Double(n)).rounded(.toNearestOrEven)) - 1
      }
    case .linspace:
      visited = (0..<n).map {
        n == 1 ? count - 1 : Int((Double(count - 1) * Double(n - 1 - $0) / Double(n - 1)).rounded(.toNearestOrEven))
      }
    case .karras: return try karrasSteps(n, final: final)
    }
    return try steps(at: visited, final: final)
  }

  /// The steps of a sampler that visits these steps of the schedule, in descending order.
  public func steps(at visited: [Int], final: FinalStep = .clean) throws(DiffusionError) -> [NoiseStep] {
    guard let first = visited.first, first < count, visited.last! >= 0, zip(visited, visited.dropFirst()).allSatisfy(>)
    else {
      throw .invalid(field: "sampling steps", "\(visited) are not descending, or not all in 0 ..< \(count)")
    }
    return visited.map { NoiseStep(time: Double($0), level: level(at: $0)) } + [finalStep(final)]
  }

  private func finalStep(_ final: FinalStep) -> NoiseStep {
    NoiseStep(time: 0, level: final == .clean ? .clean : level(at: 0))
  }

  private func karrasSteps(_ n: Int, final: FinalStep) throws(DiffusionError) -> [NoiseStep] {
    guard !hasZeroTerminalSNR else {
      throw .invalid(
        field: "spacing", "karras requires a finite σ/α at the last step; with zero terminal SNR use trailing")
    }
    let ratios = (0..<count).map { log(level(at: $0).noiseRatio) }
    return karrasSigmas(n, from: exp(ratios.last!), to: exp(ratios.first!)).map { sigma in
      // The time at which the schedule, interpolated log-linearly, has this σ/α.
      let target = min(max(log(sigma), ratios.first!), ratios.last!)
      let upper = max(ratios.firstIndex { $0 >= target } ?? count - 1, 1)
      let part = (target - ratios[upper - 1]) / (ratios[upper] - ratios[upper - 1])
      return NoiseStep(time: Double(upper - 1) + part, level: NoiseLevel(noiseRatio: sigma))
    } + [finalStep(final)]
  }
}

/// The spacing of a sampler's steps in continuous time.
public enum TimeSpacing: Sendable, Hashable, Codable {
  /// Evenly spaced in time.
  case uniform
  /// σ/α from `karrasSigmas`.
  case karras(rho: Double = 7)
  /// Evenly spaced in ln(σ/α).
  case logarithmic
  /// Evenly spaced, then moved toward noise; see `shiftedFlowTime`. For flows.
  case shifted(Double)
}

extension GaussianProcess {
  /// The times of a sampler, noisiest first: n + 1, the last of them the end of the last step.
  ///
  /// - Parameters:
  ///   - n: the number of steps, 1 or more.
  ///   - spacing: the distribution of the times.
  ///   - final: a level without noise beyond `cleanTime`, for processes that never quite reach it; nil to stop at
  ///     `cleanTime`.
  public func steps(_ n: Int, spacing: TimeSpacing = .uniform, final: NoiseLevel? = nil) -> [NoiseStep] {
    precondition(n >= 1, "a sampler of \(n) steps")
    let last = final == nil ? n : n - 1  // the index of cleanTime
    func along(_ i: Int) -> Double { last == 0 ? 0 : Double(i) / Double(last) }
    let (noisiest, cleanest) = (level(at: noisyTime).noiseRatio, level(at: cleanTime).noiseRatio)
    var times =
      switch spacing {
      case .uniform: (0...last).map { noisyTime + (cleanTime - noisyTime) * along($0) }
      case .karras(let rho): karrasSigmas(last + 1, from: noisiest, to: cleanest, rho: rho).map(time(noiseRatio:))
      case .logarithmic: (0...last).map { time(noiseRatio: noisiest * pow(cleanest / noisiest, along($0))) }
      case .shifted(let shift):
        (0...last).map { shiftedFlowTime(noisyTime + (cleanTime - noisyTime) * along($0), by: shift) }
      }
    // The exact ends, without rounding.
    times[last] = cleanTime
    times[0] = noisyTime
    return times.map { step(at: $0) } + (final.map { [NoiseStep(time: cleanTime, level: $0)] } ?? [])
  }
}

/// n noise levels between two, spaced by their ρ-th roots (Karras et al. 2022, equation 5): dense where there is little
/// noise and the solution curves.
public func karrasSigmas(_ n: Int, from sigmaMax: Double, to sigmaMin: Double, rho: Double = 7) -> [Double] {
  let (high, low) = (pow(sigmaMax, 1 / rho), pow(sigmaMin, 1 / rho))
  return (0..<n).map { n == 1 ? sigmaMax : pow(high + Double($0) / Double(n - 1) * (low - high), rho) }
}
