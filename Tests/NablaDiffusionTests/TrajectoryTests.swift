import Foundation
import NablaDiffusion
import NablaTensor
import Testing

/// Every sampler's whole trajectory against diffusers, within 1e-5, on a stand-in model.
@Suite struct TrajectoryTests {
  /// What the fixture's script calls the model, whatever it is said to predict.
  static func standIn(_ x: Tensor, _ time: Double) -> Tensor { x.tanh() * 0.5 + Tensor(Float(0.3 * cos(time / 200))) }

  private func denoiser(_ name: String) throws -> Denoiser {
    Denoiser(predicting: try #require(Prediction(rawValue: name))) { Self.standIn($0, $1.time) }
  }

  private func expectTrajectory(_ states: [Tensor], _ fixture: Fixture, _ name: String) throws {
    let reference = try fixture["\(name).trajectory"]
    #expect(states.count == reference.shape[0], "\(name)")
    for (i, state) in states.enumerated() {
      #expect(distance(state, reference[i]) < 1e-5, "\(name), step \(i)")
    }
  }

  /// The trajectory of a deterministic sampler.
  private func states(_ sampler: some Sampler, _ denoiser: Denoiser, _ start: Tensor, _ steps: [NoiseStep]) -> [Tensor]
  {
    var (random, states) = (RandomSource(seed: 0), [Tensor]())
    _ = sampler.sample(start, denoiser, along: steps, random: &random) {
      states.append($1); _ = ($0, $2)
    }
    return states
  }

  @Test(arguments: ["leading", "trailing", "linspace"]) func spacingsEqualDDIMs(_ spacing: String) throws {
    let (fixture, process) = (try Fixture("diffusion"), try DiscreteProcess(.scaledLinear))
    for n in [1000, 50, 30, 16, 10, 7, 3, 1] {
      let reference = try fixture.integers("timesteps.\(spacing)_\(n)")
      // NumPy begins linspace of one number at the clean end; a sampler of one step must begin with noise.
      if spacing == "linspace", n == 1 { continue }
      let steps = try process.steps(n, spacing: #require(StepSpacing(rawValue: spacing)))
      #expect(steps.dropLast().map { Int($0.time) } == reference, "\(spacing), \(n) steps")
      #expect(steps.count == n + 1 && steps.last!.level == .clean)
    }
  }

  @Test(arguments: [
    "noise_leading", "noise_trailing", "v_leading", "v_trailing", "noise_leading_first", "noise_trailing_first",
    "v_leading_first", "v_trailing_first", "v_trailing_zero",
  ])
  func ddim(_ name: String) throws {
    let fixture = try Fixture("diffusion")
    let process = try DiscreteProcess(.scaledLinear, zeroTerminalSNR: name.hasSuffix("zero"))
    let spacing: StepSpacing = name.contains("leading") ? .leading : .trailing
    let steps = try process.steps(10, spacing: spacing, final: name.hasSuffix("first") ? .first : .clean)
    #expect(try steps.dropLast().map { Int($0.time) } == fixture.integers("ddim_\(name).timesteps"))
    let denoiser = try denoiser(name.hasPrefix("v") ? "v" : "noise")
    try expectTrajectory(states(DDIM(), denoiser, fixture["ddim_\(name).start"], steps), fixture, "ddim_\(name)")
  }

  @Test(arguments: ["noise_leading_eta", "noise_trailing_eta", "v_leading_eta", "v_trailing_eta"])
  func ddimWithNoise(_ name: String) throws {
    let (fixture, process) = (try Fixture("diffusion"), try DiscreteProcess(.scaledLinear))
    let steps = try process.steps(10, spacing: name.contains("leading") ? .leading : .trailing)
    let (denoiser, noise) = (try denoiser(name.hasPrefix("v") ? "v" : "noise"), try fixture["ddim_\(name).noise"])
    var (x, states) = (try fixture["ddim_\(name).start"], [Tensor]())
    for i in 0..<10 {
      x = DDIM(eta: 0.7).step(
        denoiser(x, at: steps[i]), from: steps[i].level, to: steps[i + 1].level, noise: noise[i])
      states.append(x)
    }
    try expectTrajectory(states, fixture, "ddim_\(name)")
  }

  @Test(arguments: ["noise", "v"], ["leading", "trailing", "linspace"])
  func ddpm(_ prediction: String, _ spacing: String) throws {
    let (fixture, process) = (try Fixture("diffusion"), try DiscreteProcess(.linear))
    for (variance, suffix) in [(ReverseVariance.fixedSmall, "fixed_small"), (.fixedLarge, "fixed_large")] {
      let name = "ddpm_\(prediction)_\(spacing)_\(suffix)"
      let steps = try process.steps(10, spacing: #require(StepSpacing(rawValue: spacing)))
      #expect(try steps.dropLast().map { Int($0.time) } == fixture.integers("\(name).timesteps"))
      let (denoiser, noise) = (try denoiser(prediction), try fixture["\(name).noise"])
      var (x, states) = (try fixture["\(name).start"], [Tensor]())
      for i in 0..<10 {
        // diffusers adds no noise at step 0 of the table, wherever in the list that is.
        x = AncestralDDPM(variance: variance).step(
          x, denoiser(x, at: steps[i]), from: steps[i].level, to: steps[i + 1].level,
          noise: steps[i].time > 0 && i < 9 ? noise[i] : nil)
        states.append(x)
      }
      let last = try fixture["\(name).trajectory"]
      // With trailing steps diffusers adds noise to the last samples too; ours show the mean.
      if spacing == "trailing" { states.removeLast() }
      for (i, state) in states.enumerated() { #expect(distance(state, last[i]) < 1e-5, "\(name), step \(i)") }
    }
  }

  @Test func ddpmWithLearnedVariance() throws {
    let (fixture, process) = (try Fixture("diffusion"), try DiscreteProcess(.linear, count: 50))
    let denoiser = Denoiser(predicting: .noise) { x, step in
      Tensor.concatenate([Self.standIn(x, step.time), (x * 3).sin()], axis: 1)
    }
    let (steps, noise) = (try process.steps(50), try fixture["ddpm_learned_range.noise"])
    var (x, states) = (try fixture["ddpm_learned_range.start"], [Tensor]())
    for i in 0..<50 {
      x = AncestralDDPM(variance: .learnedRange).step(
        x, denoiser(x, at: steps[i]), from: steps[i].level, to: steps[i + 1].level, noise: i < 49 ? noise[i] : nil)
      states.append(x)
    }
    try expectTrajectory(states, fixture, "ddpm_learned_range")
  }

  /// Euler's and Heun's states are x/α in diffusers.
  @Test(arguments: ["noise", "v"], ["leading", "trailing", "linspace", "karras"])
  func eulerAndHeun(_ prediction: String, _ spacing: String) throws {
    let (fixture, process) = (try Fixture("diffusion"), try DiscreteProcess(.scaledLinear))
    let steps = try process.steps(10, spacing: #require(StepSpacing(rawValue: spacing)))
    for sampler in ["euler", "heun"] {
      let name = "\(sampler)_\(prediction)_\(spacing)"
      for (step, time) in zip(steps, try fixture.doubles("\(name).timesteps")) {
        #expect(abs(step.time - time) < 0.01, "\(name)")
      }
      for (step, sigma) in zip(steps, try fixture.doubles("\(name).sigmas")) {
        #expect(abs(step.level.noiseRatio - sigma) < 1e-5 * (1 + sigma), "\(name)")
      }
      let start = try fixture["\(name).start"] * Tensor(Float(steps[0].level.alpha))
      let denoiser = try denoiser(prediction)
      let states =
        sampler == "euler" ? states(Euler(), denoiser, start, steps) : states(Heun(), denoiser, start, steps)
      try expectTrajectory(
        zip(states, steps.dropFirst()).map { $0 / Tensor(Float($1.level.alpha)) }, fixture, name)
    }
  }

  /// diffusers' multistep solver has spacings of its own for leading and linspace; the steps are therefore taken over.
  @Test(arguments: ["noise", "v"], ["leading", "trailing", "linspace"])
  func dpmSolver(_ prediction: String, _ spacing: String) throws {
    let (fixture, process) = (try Fixture("diffusion"), try DiscreteProcess(.scaledLinear))
    let name = "dpm_\(prediction)_\(spacing)"
    let steps = try process.steps(at: fixture.integers("\(name).timesteps"))
    try expectTrajectory(
      states(DPMSolverPlusPlus(), denoiser(prediction), fixture["\(name).start"], steps), fixture, name)
  }

  /// diffusers' flow runs from σ = 1 to 0 and its velocity is noise - data: time 1 - σ, and the negative, here.
  @Test(arguments: [1.0, 3.0]) func flow(_ shift: Double) throws {
    let fixture = try Fixture("diffusion")
    let name = "flow_shift\(Int(shift))"
    let steps = LinearFlow().steps(10, spacing: .shifted(shift))
    for (step, sigma) in zip(steps, try fixture.doubles("\(name).sigmas")) {
      #expect(abs(1 - step.time - sigma) < 1e-6, "\(name)")
    }
    let denoiser = Denoiser(predicting: .velocity) { x, step in -Self.standIn(x, 1000 * (1 - step.time)) }
    let start = try fixture["\(name).start"]
    let flow = ProbabilityFlow(LinearFlow(), solver: .euler)
    try expectTrajectory(states(flow, denoiser, start, steps), fixture, name)
    // DDIM on the same levels takes the same steps.
    try expectTrajectory(states(DDIM(), denoiser, start, steps), fixture, name)
  }

  /// DDIM with linspace, where diffusers takes t - T/n for the previous step, against float64 written out here.
  @Test(arguments: [StepSpacing.linspace, .trailing], [7, 30]) func ddimLeadsToTheNextStep(
    _ spacing: StepSpacing, _ n: Int
  ) throws {
    let process = try DiscreteProcess(.scaledLinear)
    let times = try process.steps(n, spacing: spacing).dropLast().map { Int($0.time) }
    var x = 0.8
    for (i, t) in times.enumerated() {
      let bar = process.alphaBars[t]
      let next = i + 1 < n ? process.alphaBars[times[i + 1]] : 1
      let noise = 0.5 * tanh(x) + 0.3 * cos(Double(t) / 200)
      let data = (x - (1 - bar).squareRoot() * noise) / bar.squareRoot()
      x = next.squareRoot() * data + (1 - next).squareRoot() * noise
    }
    let states = try states(DDIM(), denoiser("noise"), [[0.8]], process.steps(n, spacing: spacing))
    #expect(abs(Double(states.last!.item()) - x) < 1e-5 * (1 + abs(x)))
  }
}
