import Foundation
import NablaDiffusion
import NablaTensor
import Testing

@Suite struct ProcessTests {
  @Test(arguments: [
    (BetaSchedule.linear, "linear"), (.scaledLinear, "scaled_linear"), (.cosine, "squaredcos_cap_v2"),
    (.sigmoid, "sigmoid"),
  ])
  func alphaBarsEqualDiffusers(_ schedule: BetaSchedule, _ name: String) throws {
    let fixture = try Fixture("diffusion")
    for zero in [false, true] {
      let reference = try fixture.doubles("alpha_bar.\(name)\(zero ? "_zero" : "")")
      let process = try DiscreteProcess(schedule, zeroTerminalSNR: zero)
      #expect(process.count == 1000 && reference.count == 1000)
      for (t, (ours, theirs)) in zip(process.alphaBars, reference).enumerated() {
        // diffusers multiplies a thousand numbers in float32, and subtracts nearly equal roots for the zero.
        let tolerance = zero ? 1e-5 : 1e-5 * theirs + 1e-9
        guard abs(ours - theirs) <= tolerance else {
          Issue.record("\(name), zero \(zero), step \(t): \(ours), diffusers \(theirs)")
          break
        }
      }
      #expect((process.alphaBars.last == 0) == zero)
    }
  }

  /// Closed forms, to float64: ᾱ of the cosine schedule, and the first and last β of the others.
  @Test func schedulesHaveTheirClosedForms() throws {
    let cosine = try DiscreteProcess(.cosine)
    func f(_ t: Double) -> Double { pow(cos((t + 0.008) / 1.008 * .pi / 2), 2) }
    for t in [0, 1, 500, 990] { #expect(abs(cosine.alphaBars[t] - f(Double(t + 1) / 1000) / f(0)) < 1e-12) }
    for schedule in [BetaSchedule.linear, .scaledLinear] {
      let betas = schedule.betas(1000)
      #expect(abs(betas[0] - schedule.standardRange.first) < 1e-15)
      #expect(abs(betas[999] - schedule.standardRange.last) < 1e-15)
    }
    #expect(abs(BetaSchedule.linear.betas(1000)[500] - (1e-4 + (0.02 - 1e-4) * 500 / 999)) < 1e-15)
    // √β, not β, is the straight line.
    let middle = 0.00085.squareRoot() + (0.012.squareRoot() - 0.00085.squareRoot()) * 500 / 999
    #expect(abs(BetaSchedule.scaledLinear.betas(1000)[500] - middle * middle) < 1e-15)
  }

  @Test func tablesForAThousandStepsAreScaledOrRefused() throws {
    for count in [50, 100, 250, 4000] {
      let last = try DiscreteProcess(.linear, count: count).alphaBars.last!
      #expect(last < 2e-4, "ᾱ is \(last) after \(count) steps")
    }
    // The table as it is, with T = 100: a third of the variance is still data.
    let unscaled = BetaSchedule.linear.betas(100, range: (1e-4, 0.02))
    #expect(abs(unscaled.reduce(1) { $0 * (1 - $1) } - 0.36) < 0.01)
    #expect { try DiscreteProcess(betas: unscaled) } throws: { "\($0)".contains("scale β by 1000/100") }
    // Scaled to too few steps, β passes 1.
    #expect { try DiscreteProcess(.linear, count: 10) } throws: { "\($0)".contains("β is") }
    #expect(throws: DiffusionError.self) { try DiscreteProcess(betas: []) }
    #expect(throws: DiffusionError.self) { try DiscreteProcess(betas: [0.1, .nan, 0.9]) }
  }

  @Test func everyStepIsDrawn() throws {
    let process = try DiscreteProcess(.cosine, count: 20)
    var random = RandomSource(seed: 3)
    let counts = process.randomSteps(20_000, random: &random).reduce(into: [Int](repeating: 0, count: 20)) {
      $0[$1] += 1
    }
    // 1000 each, standard deviation 31: the first and the last step as often as the others.
    for (step, count) in counts.enumerated() { #expect(abs(count - 1000) < 150, "step \(step): \(count)") }
  }

  static let processes: [any GaussianProcess] = [
    VariancePreserving(), VarianceExploding(), EDM(), LinearFlow(), VariancePreserving(betaMin: 0.5, betaMax: 0.5),
  ]

  /// Rates against differences, inverse functions, and the equations f = α′/α, g² = dσ²/dt - 2fσ².
  @Test(arguments: 0..<processes.count) func processesAreConsistent(_ index: Int) {
    let process = Self.processes[index]
    for part in [0.1, 0.3, 0.5, 0.9] {
      let t = process.cleanTime + part * (process.noisyTime - process.cleanTime)
      let h = 1e-5 * abs(process.noisyTime - process.cleanTime)
      let (below, level, above) = (process.level(at: t - h), process.level(at: t), process.level(at: t + h))
      let rate = process.rate(at: t)
      #expect(abs((above.alpha - below.alpha) / (2 * h) - rate.alpha) < 1e-5 * (1 + abs(rate.alpha)))
      #expect(abs((above.sigma - below.sigma) / (2 * h) - rate.sigma) < 1e-5 * (1 + abs(rate.sigma)))
      #expect(abs(process.time(noiseRatio: level.noiseRatio) - t) < 1e-9 * max(1, t))
      let f = (log(above.alpha) - log(below.alpha)) / (2 * h)
      let growth = (above.sigma * above.sigma - below.sigma * below.sigma) / (2 * h)
      let g2 = abs(growth - 2 * f * level.sigma * level.sigma)
      #expect(abs(process.squaredDiffusion(at: t) - g2) < 1e-4 * (1 + g2))
      #expect(abs(process.drift(at: t) - f) < 1e-5 * (1 + abs(f)))
    }
    #expect(process.level(at: process.cleanTime).noiseRatio < process.level(at: process.noisyTime).noiseRatio)
  }

  @Test func variancePreservingHasSongsEquations() {
    let process = VariancePreserving(betaMin: 0.1, betaMax: 20)
    for t in [0.1, 0.5, 1] {
      let level = process.level(at: t)
      #expect(abs(level.alpha * level.alpha + level.sigma * level.sigma - 1) < 1e-12)
      #expect(abs(process.drift(at: t) + process.beta(at: t) / 2) < 1e-9)
      #expect(abs(process.squaredDiffusion(at: t) - process.beta(at: t)) < 1e-9 * process.beta(at: t))
    }
    // β by steps of a thousand is DDPM's linear table: ᾱ₁ of both are alike.
    let steps = (1...1000).reduce(1.0) { $0 * (1 - process.beta(at: Double($1) / 1000) / 1000) }
    #expect(abs(log(steps) / log(process.level(at: 1).alpha * process.level(at: 1).alpha) - 1) < 0.02)
  }

  /// D as a network of zeros makes it is the best linear denoiser, and the target of F has variance 1.
  @Test func preconditioningIsKarras() {
    let process = EDM(dataDeviation: 0.7)
    for sigma in [0.002, 0.5, 3, 80.0] {
      let c = process.preconditioning(at: sigma)
      let total = 0.49 + sigma * sigma
      #expect(abs(c.input * c.input * total - 1) < 1e-12)
      #expect(abs(c.skip - 0.49 / total) < 1e-12)
      // Var(x₀ - c_skip·x) = c_out².
      #expect(abs((1 - c.skip) * (1 - c.skip) * 0.49 + c.skip * c.skip * sigma * sigma - c.out * c.out) < 1e-12)
      // λ·c_out² = 1: the weight on F's own error.
      let weight = LossWeighting.edm(dataDeviation: 0.7)
        .weight(at: NoiseLevel(alpha: 1, sigma: sigma), predicting: .data)
      #expect(abs(weight * c.out * c.out - 1) < 1e-12)
      #expect(abs(c.noise - log(sigma) / 4) < 1e-12)
    }
  }

  @Test func shiftsComposeAndKeepTheEnds() {
    for t in [0, 0.2, 0.7, 1] {
      let noise = 1 - t
      let s = 3.0
      #expect(abs(1 - shiftedFlowTime(t, by: s) - s * noise / (1 + (s - 1) * noise)) < 1e-12)
      #expect(abs(shiftedFlowTime(shiftedFlowTime(t, by: 3), by: 3) - shiftedFlowTime(t, by: 9)) < 1e-12)
      #expect(shiftedFlowTime(t, by: 1) == t)
    }
    // More noise, not less.
    #expect(shiftedFlowTime(0.5, by: 3) < 0.5)
    var random = RandomSource(seed: 1)
    let times = FlowTimes.logitNormal(mean: 0.5, deviation: 2).draw(20_000, random: &random)
    let logits = times.map { log($0 / (1 - $0)) }
    let mean = logits.reduce(0, +) / 20_000
    #expect(abs(mean - 0.5) < 0.06)
    #expect(abs((logits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000).squareRoot() - 2) < 0.05)
  }
}
