import Glibc
import NablaTensor
import NablaTraining

/// The samplers by name.
public enum SamplerKind: String, Codable, SettingValue, CaseIterable {
  /// ``AncestralDDPM``.
  case ancestral
  /// ``DDIM``.
  case ddim
  case euler
  case heun
  /// ``DPMSolverPlusPlus``.
  case dpm = "dpm++"
  /// ``ReverseSDE``.
  case sde
  /// ``PredictorCorrector``.
  case predictorCorrector = "predictor-corrector"
  /// ``AnnealedLangevin``.
  case langevin
  /// ``ProbabilityFlow`` in adaptive steps.
  case ode
}

extension DiffusionConfiguration {
  /// The samplers that support the objective, the default first.
  public var samplers: [SamplerKind] {
    switch objective {
    // If no signal is left, σ/α, which Euler and Heun use, is infinite.
    case .ddpm: [.ddim, .ancestral, .dpm] + (hasZeroTerminalSNR ? [] : [.euler, .heun])
    case .score:
      [.heun, .euler, .ddim, .dpm, .sde, .predictorCorrector, .ode] + (process == .varianceExploding ? [.langevin] : [])
    case .edm: [.heun, .euler, .ddim, .dpm, .ode]
    case .flow: [.heun, .euler, .dpm, .ode]
    }
  }

  /// Whether no signal is left at the last step: asked for, or because so few steps bring β to 1.
  private var hasZeroTerminalSNR: Bool { (try? discreteProcess())?.hasZeroTerminalSNR ?? zeroTerminalSNR }

  /// A sampler with its noise levels.
  ///
  /// - Parameter kind: Nil for the default.
  /// - Throws: ``ConfigurationError`` for one that the objective cannot use, ``DiffusionError`` for too many steps.
  package func sampler(
    _ kind: SamplerKind?, steps: Int, deviation: Double
  ) throws -> (sampler: any Sampler, steps: [NoiseStep]) {
    let kind = kind ?? samplers[0]
    try require(
      samplers.contains(kind),
      """
      \(setting: "sampler") \(kind.rawValue) cannot sample a model of \(objective.rawValue)\
      \(objective == .ddpm && hasZeroTerminalSNR ? " with zero terminal SNR" : ""): use one of \
      \(samplers.map(\.rawValue).joined(separator: ", "))
      """)
    try require(steps >= 1, "\(setting: "steps") must be at least 1, not \(steps)")
    if objective == .ddpm { return (simple(kind), try discreteProcess().steps(steps)) }
    let process = continuousProcess(deviation: deviation)
    let shifted = process.steps(steps, spacing: flowShift == 1 ? .uniform : .shifted(flowShift))
    switch (objective, kind) {
    case (.flow, .ode): return (ProbabilityFlow(process, solver: .adaptive()), shifted)
    case (.flow, .heun): return (ProbabilityFlow(process, solver: .heun), shifted)
    case (.flow, .euler): return (ProbabilityFlow(process, solver: .euler), shifted)
    case (.flow, _): return (simple(kind), shifted)
    case (_, .ode): return (ProbabilityFlow(process, solver: .adaptive()), process.steps(steps))
    case (_, .sde): return (ReverseSDE(process), process.steps(steps))
    case (_, .predictorCorrector): return (PredictorCorrector(process), process.steps(steps))
    case (_, .langevin):
      // ε as a fraction of the variance at the smallest level: 2·10⁻⁵ for σ_min = 0.01 (Song & Ermon 2019).
      return (
        AnnealedLangevin(stepsPerLevel: 10, stepSize: 2e-5 * deviation * deviation),
        process.steps(steps, spacing: .logarithmic, final: .clean)
      )
    default: return (simple(kind), process.steps(steps, spacing: .karras(), final: .clean))
    }
  }

  /// Those that require no process.
  private func simple(_ kind: SamplerKind) -> any Sampler {
    switch kind {
    case .ancestral: AncestralDDPM()
    case .ddim: DDIM()
    case .euler: Euler()
    case .heun: Heun()
    case .dpm: DPMSolverPlusPlus()
    case .sde, .predictorCorrector, .langevin, .ode:
      preconditionFailure("DiffusionConfiguration: \(kind.rawValue) requires a process")
    }
  }

  /// The process of a continuous objective.
  func continuousProcess(deviation: Double) -> any GaussianProcess {
    switch objective {
    case .ddpm: preconditionFailure("DiffusionConfiguration: the process of ddpm is discrete")
    case .score:
      process == .variancePreserving
        ? VariancePreserving() : VarianceExploding(sigmaMin: 0.01 * deviation, sigmaMax: 50 * deviation)
    case .edm: edm(deviation: deviation)
    case .flow: LinearFlow()
    }
  }

  func discreteProcess() throws(DiffusionError) -> DiscreteProcess {
    try DiscreteProcess(schedule, count: noiseSteps, zeroTerminalSNR: zeroTerminalSNR)
  }

  /// The levels of Karras et al. are for data with standard deviation ½: they are scaled in proportion.
  private func edm(deviation: Double) -> EDM {
    EDM(sigmaMax: sigmaMax, dataDeviation: deviation, logSigmaMean: -1.2 + log(2 * deviation))
  }

  /// The training objective.
  ///
  /// - Parameter deviation: The standard deviation of the data.
  func denoisingObjective(deviation: Double) throws -> any DenoisingObjective {
    switch objective {
    case .ddpm:
      return try DDPMObjective(
        discreteProcess(), predicting: prediction.prediction, weighting: minSNR > 0 ? .minSNR(gamma: minSNR) : .simple)
    case .score: return ScoreObjective(continuousProcess(deviation: deviation), dataDeviation: deviation)
    case .edm: return EDMObjective(edm(deviation: deviation))
    case .flow:
      return FlowObjective(
        times: logitNormal ? .logitNormal() : .uniform, shift: flowShift, coupling: optimalTransport)
    }
  }
}
