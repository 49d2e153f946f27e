import Glibc
import NablaStudio
import Testing

struct TransformerStepTests {
  static let text = "Hello there"

  struct Lens: Decodable {
    let tokens, finalists: [String]
    let guesses: [[String]]
    let probabilities, rises: [[Double]]
    let lengths, added: [Double]
  }

  @Test func theLensEndsWithTheModelsOwnGuess() throws {
    let lens: Lens = try untrained.decoded("transformer", "lens", ["text": Self.text, "position": "6"]).value
    #expect(lens.tokens.count == 11 && lens.guesses.count == 5 && lens.lengths.count == 5 && lens.added.count == 4)
    #expect(lens.guesses.last?[6] == lens.finalists[0])
    let last = lens.rises.map { $0.last! }
    #expect(last == last.sorted(by: >) && last.reduce(0, +) <= 1 + 1e-9)
    #expect(abs(last[0] - lens.probabilities.last![6]) < 1e-9)
    // What a layer adds is a vector: lengths obey the triangle inequality.
    for layer in 0..<4 {
      #expect(abs(lens.lengths[layer + 1] - lens.lengths[layer]) <= lens.added[layer] + 1e-5)
      #expect(lens.added[layer] > 0)
    }
  }

  struct Ablation: Decodable {
    let whole, switched, uniform: Double
    let without: [Double]?
  }

  @Test func aLayerLeftOutChangesTheLoss() throws {
    func loss(_ query: [String: String]) throws -> Ablation {
      try untrained.decoded("transformer", "ablation", query.merging(["text": Self.text]) { $1 }).value
    }
    let all = try loss(["each": "1"])
    #expect(all.uniform == log(256) && abs(all.whole - all.uniform) < 0.3 && all.switched == all.whole)
    #expect(all.without?.count == 4)
    for layer in 0..<4 {
      let one = try loss(["skip": "\(layer)"])
      #expect(one.switched == all.without?[layer] && one.switched != one.whole)
    }
    #expect(try loss(["residuals": "0"]).switched != all.whole)
    #expect(try loss(["norms": "0"]).switched != all.whole)
  }

  struct Panels: Decodable {
    let attention, positions: DecodedTensor
    let headMeans, headPeaks, entropies, sparsity: [Double]
    let parameterBytes, activationBytes: Double
    let parameters: Int
  }

  @Test func panelsAreWhatTheirFormulasSay() throws {
    let panels: Panels = try untrained.decoded("transformer", "panels", ["text": Self.text]).value
    // Eleven rows that sum to one, over 66 visible weights.
    for mean in panels.headMeans { #expect(abs(mean - 11.0 / 66) < 1e-6) }
    for (peak, mean) in zip(panels.headPeaks, panels.headMeans) { #expect(peak > mean && peak <= 1) }
    #expect(panels.entropies.count == 4 && panels.entropies.allSatisfy { $0 > 0 && $0 < log(11) })
    #expect(panels.sparsity.allSatisfy { (0...1).contains($0) })
    // A head of 16: eight frequencies.
    for position in [0, 1, 20] {
      for pair in 0..<8 {
        let angle = Double(position) * pow(10_000, -Double(pair) / 8)
        #expect(abs(panels.positions.row(position)[pair] - cos(angle)) < 1e-5)
      }
    }
    #expect(panels.parameterBytes == 4 * Double(panels.parameters) && panels.activationBytes == 4 * 11 * 64)
  }

  struct Cost: Decodable {
    let contexts: [Int]
    let mixing, feedForward, mixingOperations, feedForwardOperations: [Double]
    let crossing: Int
  }

  @Test func costIsMeasuredBesideItsCount() throws {
    let cost: Cost = try untrained.decoded("transformer", "cost", ["width": "64"]).value
    #expect(cost.crossing == 256 && (cost.mixing + cost.feedForward).allSatisfy { $0 > 0 })
    let at = try #require(cost.contexts.firstIndex(of: cost.crossing))
    #expect(cost.mixingOperations[at] == cost.feedForwardOperations[at])
  }

  @Test(arguments: ["200", "65", "63", "1000"]) func costRefusesWidthsWithoutWholeHeads(_ width: String) {
    let query = StudioQuery(["width": width])
    #expect(throws: StudioError.self) { try untrained.answer("transformer", "cost", query) }
  }
}
