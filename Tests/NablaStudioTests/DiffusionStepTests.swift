import FoundationEssentials
import Glibc
import NablaStudio
import Testing

struct DiffusionStepTests {
  struct Noise: Decodable {
    let data, noisy, places, noise: DecodedTensor
    let labels: [Int]
    let classes: [String]
    let alphaBar, signal, deviation, signalToNoise, noisePower, unknown: Double
  }

  /// ᾱ as a product of 1 - β, and Bayes' theorem in float64, from the points that the page shows.
  @Test(arguments: [20, 250, 700])
  func arrowsAreWhatBayesSays(_ t: Int) throws {
    let answer: Noise = try untrained.decoded("diffusion", "noise", ["shape": "rings", "t": "\(t)"]).value
    var alphaBar = 1.0
    for step in 0...t {
      let beta: Double = 1e-4 + (0.02 - 1e-4) * Double(step) / 999
      alphaBar *= 1 - beta
    }
    #expect(abs(answer.alphaBar - alphaBar) < 1e-12)
    #expect(abs(answer.signalToNoise - alphaBar / (1 - alphaBar)) < 1e-9 * answer.signalToNoise)
    let (alpha, sigma) = (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
    let count = answer.data.shape[0]
    for i in stride(from: 0, to: answer.places.shape[0], by: 7) {
      let x = answer.places.row(i)
      let logits = (0..<count).map { j -> Double in
        let d = answer.data.row(j)
        let (u, v): (Double, Double) = (x[0] - alpha * d[0], x[1] - alpha * d[1])
        return -(u * u + v * v) / (2 * sigma * sigma)
      }
      let largest = logits.max()!
      let weights = logits.map { exp($0 - largest) }
      let total = weights.reduce(0, +)
      for c in 0...1 {
        var sum = 0.0
        for j in 0..<count { sum += weights[j] * answer.data.row(j)[c] }
        let noise: Double = (x[c] - alpha * sum / total) / sigma
        // Points are shown to a thousandth, which σ magnifies.
        #expect(abs(answer.noise.row(i)[c] - noise) < 0.02 / sigma)
      }
    }
  }

  @Test func noiseHasVarianceOneAndLateNoiseIsKnown() throws {
    let answer: Noise = try untrained.decoded("diffusion", "noise", ["t": "999"]).value
    #expect(abs(answer.noisePower - 1) < 0.1)
    // At the end ε is what one sees.
    #expect(answer.unknown < 1e-3)
    var squares = 0.0
    for i in 0..<1024 {
      let x: Double = answer.noisy.row(i)[0]
      squares += x * x
    }
    #expect(abs(squares / 1024 - 1) < 0.2)
  }

  struct Samplers: Decodable {
    struct Sampler: Decodable { let way: String, evaluations: Int, paths: DecodedTensor, distance, nearest: Double }
    let samplers: [Sampler]
    let floor, nearestOfFresh: Double
  }

  /// With the exact score every sampler must end at the data, and at the very training points.
  @Test func exactScoresLeadBackToTheTrainingPoints() throws {
    let query = ["shape": "eight-gaussians", "steps": "50", "width": "8", "n": "100", "score": "exact"]
    let answer: Samplers = try untrained.decoded("diffusion", "samplers", query).value
    #expect(answer.samplers.map(\.way) == ["ancestral", "ddim", "langevin", "flow"])
    for sampler in answer.samplers {
      #expect(sampler.distance < 2.5 * answer.floor, "\(sampler.way): \(sampler.distance), floor \(answer.floor)")
      // The last step of the first three leads from t = 9 to the mean of the points that can be underneath.
      let share = sampler.way == "flow" ? 0.4 : 0.9
      #expect(sampler.nearest < share * answer.nearestOfFresh, "\(sampler.way): \(sampler.nearest)")
      #expect(sampler.paths.shape == [25, 200, 2])
      // All start from the same noise.
      #expect(sampler.paths.values[..<400] == answer.samplers[0].paths.values[..<400])
    }
  }

  @Test func trainingBringsSamplesNearer() throws {
    func distance(_ steps: Int) throws -> Double {
      let query = ["shape": "moons", "steps": "\(steps)", "width": "32", "n": "20"]
      let answer: Samplers = try untrained.decoded("diffusion", "samplers", query).value
      return answer.samplers[1].distance / answer.floor
    }
    let (early, late) = (try distance(50), try distance(500))
    #expect(late < 4 && late < early, "\(early) and \(late) times the floor")
  }

  struct Guidance: Decodable { let share, spread, spreadOfData: Double, curve: [[Double]], classes: [String] }

  @Test func guidanceTakesStraysAwayAndVarietyWithThem() throws {
    let query = ["shape": "eight-gaussians", "steps": "500", "width": "32", "class": "3", "w": "3"]
    let answer: Guidance = try untrained.decoded("diffusion", "guidance", query).value
    #expect(answer.classes.count == 8)
    let byScale = Dictionary(uniqueKeysWithValues: answer.curve.map { ($0[0], $0) })
    // Ignored, an eighth of the samples lie there by chance.
    #expect(abs(byScale[0]![1] - 0.125) < 0.1)
    #expect(byScale[1]![1] > 0.6 && answer.share > 0.9)
    #expect(byScale[0]![2] > 3 * byScale[1]![2])
    let again: Guidance = try untrained.decoded("diffusion", "guidance", query).value
    #expect(again.curve == answer.curve)
  }

  @Test func drawingsAreReadOrRefused() throws {
    // Two inks of two cells each: A is the first column, _ the last.
    let answer: Noise = try untrained.decoded(
      "diffusion", "noise", ["shape": "drawn", "ink1": "AAAA", "ink2": "__", "t": "0"]
    ).value
    #expect(answer.classes == ["first ink", "second ink"] && Set(answer.labels) == [0, 1])
    for (i, label) in answer.labels.enumerated() {
      #expect(answer.data.row(i).allSatisfy { abs($0 - (label == 0 ? -3.15 : 3.15)) < 0.5 })
    }
    for query in [
      ["shape": "drawn"], ["shape": "drawn", "ink1": "A"], ["shape": "drawn", "ink1": "A é"], ["shape": "cube"],
      ["t": "1000"], ["t": "NaN"],
      ["shape": "drawn", "ink2": String(repeating: "AA", count: 501)],
    ] {
      #expect(throws: StudioError.self, "\(query)") { try untrained.answer("diffusion", "noise", StudioQuery(query)) }
    }
    for query in [["n": "0"], ["n": "101"], ["steps": "1e9"], ["score": "none"]] {
      #expect(throws: StudioError.self, "\(query)") {
        try untrained.answer("diffusion", "samplers", StudioQuery(query))
      }
    }
  }

  @Test func withoutARunThereAreNoImages() throws {
    let error = #expect(throws: StudioError.self) { try untrained.answer("diffusion", "images") }
    #expect(error?.description.contains("--run") == true)
  }
}
