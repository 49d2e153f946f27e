import Foundation
import NablaDiffusion
import NablaNN
import NablaTensor
import Testing

@Suite struct ObjectiveTests {
  /// Each example, by hand, of one point x₀ = 2 and noise ε = -1.
  @Test func examplesAreTheirFormulas() throws {
    let (data, noise): (Tensor, Tensor) = ([[2.0]], [[-1.0]])
    let process = try DiscreteProcess(.linear)
    let bar = process.alphaBars[300]
    let ddpm = try DDPMObjective(process).example(data, steps: [300], noise: noise)
    #expect(abs(Double(ddpm.input.item()) - (bar.squareRoot() * 2 - (1 - bar).squareRoot())) < 1e-6)
    #expect(ddpm.target.item() == -1 && ddpm.times.item() == 300 && ddpm.weights.item() == 1)

    let flow = FlowObjective().example(data, times: [0.25], noise: noise)
    #expect(abs(flow.input.item() - (0.25 * 2 - 0.75)) < 1e-6)
    #expect(flow.target.item() == 3 && flow.times.item() == 0.25)

    let edm = EDMObjective(EDM(dataDeviation: 0.5)).example(data, sigmas: [1.5], noise: noise)
    let (skip, out, into) = (0.25 / 2.5, 1.5 * 0.5 / 2.5.squareRoot(), 1 / 2.5.squareRoot())
    #expect(abs(Double(edm.input.item()) - into * 0.5) < 1e-6)  // x = 2 - 1.5
    #expect(abs(Double(edm.target.item()) - (2 - skip * 0.5) / out) < 1e-5)
    #expect(abs(Double(edm.times.item()) - log(1.5) / 4) < 1e-6)

    let score = ScoreObjective(VarianceExploding(), dataDeviation: 1)
    let example = score.example(data, times: [0.5], noise: noise)
    let sigma = 0.01 * pow(5000, 0.5)
    #expect(abs(Double(example.input.item()) - (2 - sigma) / (1 + sigma * sigma).squareRoot()) < 1e-5)
    #expect(example.target.item() == 1)  // -ε
  }

  /// A network that says exactly the target makes the denoiser give back the data.
  @Test func denoisersUndoTheExamples() throws {
    var random = RandomSource(seed: 19)
    let (data, noise) = (random.normal([1, 3]), random.normal([1, 3]))
    func check(_ objective: some DenoisingObjective, _ example: DenoisingExample, _ step: NoiseStep) {
      let x = noised(data, noise: noise, levels: [step.level])
      let estimate = objective.denoiser { input, times in
        #expect(distance(input, example.input) < 1e-5)
        #expect(distance(times, example.times) < 1e-5)
        return example.target
      }(x, at: step)
      #expect(distance(estimate.data, data) < 1e-4)
      #expect(distance(estimate.noise, noise) < 1e-4)
    }
    let process = try DiscreteProcess(.cosine)
    for prediction in [Prediction.noise, .data, .v] {
      let ddpm = try DDPMObjective(process, predicting: prediction)
      check(
        ddpm, ddpm.example(data, steps: [400], noise: noise),
        NoiseStep(time: 400, level: process.level(at: 400)))
    }
    for process in [VariancePreserving(), VarianceExploding()] as [any GaussianProcess] {
      let score = ScoreObjective(process, dataDeviation: 0.7)
      check(score, score.example(data, times: [0.4], noise: noise), process.step(at: 0.4))
    }
    let edm = EDMObjective()
    check(edm, edm.example(data, sigmas: [0.9], noise: noise), EDM().step(at: 0.9))
    let flow = FlowObjective()
    check(flow, flow.example(data, times: [0.6], noise: noise), LinearFlow().step(at: 0.6))
  }

  @Test func losses() {
    let loss = denoisingLoss([[1, 2], [3, 4]], target: [[1, 0], [0, 4]], weights: [1, 2])
    #expect(abs(loss.item() - (1 * 2 + 2 * 4.5) / 2) < 1e-6)
  }

  /// The least total squared distance, against all orders of five; the data, and with them their labels, stay in place.
  @Test func optimalTransportIsOptimal() {
    var random = RandomSource(seed: 20)
    func permutations(_ n: Int) -> [[Int]] {
      n == 0
        ? [[]] : permutations(n - 1).flatMap { p in (0...p.count).map { Array(p[..<$0]) + [n - 1] + Array(p[$0...]) } }
    }
    func cost(_ a: Tensor, _ b: Tensor) -> Double { Double((a - b).square().sum().item()) }
    for _ in 0..<10 {
      let (data, noise) = (random.normal([5, 2]), random.normal([5, 2]))
      let coupled = OptimalTransport.coupled(noise, to: data)
      let best = permutations(5).map { cost(data, noise.gather(Tensor($0.map(Int32.init)))) }.min()!
      #expect(abs(cost(data, coupled) - best) < 1e-4)
      #expect(coupled.array().sorted() == noise.array().sorted())
    }
    // In one dimension: sorted to sorted. And large batches take their time, but end.
    let (data, noise) = (random.normal([128, 1]), random.normal([128, 1]))
    let pairs = zip(data.array(), OptimalTransport.coupled(noise, to: data).array()).sorted { $0.0 < $1.0 }
    #expect(pairs.map(\.1) == noise.array().sorted())
  }

  @Test func couplingKeepsDataAndLabelsTogether() {
    var random = RandomSource(seed: 21)
    let data = Tensor((0..<64).map { Float($0) }, [64, 1])
    let example = FlowObjective(coupling: true).example(data, random: &random)
    // x_t + (1 - t)·velocity = x₁: row by row the data as they came.
    let ends = example.input + example.target * (1 - example.times.reshaped([64, 1]))
    #expect(distance(ends, data) < 1e-5)
  }

  @Test func labelsAreDropped() {
    var random = RandomSource(seed: 22)
    let labels = Tensor((0..<4000).map { Int32($0 % 3) })
    let kept = droppingConditions(labels, probability: 0.25, none: 3, random: &random).array(of: Int32.self)
    let dropped = kept.count { $0 == 3 }
    #expect(abs(dropped - 1000) < 120)
    for (before, after) in zip(labels.array(of: Int32.self), kept) { #expect(after == 3 || after == before) }
  }
}
