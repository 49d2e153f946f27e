import FoundationEssentials
import Glibc
import NablaFormats
import NablaLanguage
import NablaReport
import NablaTraining
import Testing

@Suite struct AnalysisTests {
  /// Rows that look evenly at all they may see have the largest entropy: ln 1, ln 2, … with a causal mask.
  @Test(arguments: [1, 2, 7, 40]) func evenAttentionHasTheLargestEntropy(count: Int) throws {
    let causal = (0..<count).flatMap { row in (0..<count).map { Float($0 <= row ? 1 / Double(row + 1) : 0) } }
    let full = [Float](repeating: 1 / Float(count), count: count * count)
    let tokens = (0..<count).map { "t\($0)" }
    let first = Analysis(text: "", tokens: tokens, attention: [[causal]])
    let second = Analysis(text: "", tokens: tokens, attention: [[full]], isCausal: false)
    let expected = lgamma(Double(count) + 1) / Double(count)
    #expect(abs(first.largestEntropy - expected) < 1e-9)
    #expect(abs(try #require(first.attention[0].heads[0].entropy) - expected) < 1e-6)
    #expect(abs(second.largestEntropy - log(Double(count))) < 1e-12)
    #expect(abs(try #require(second.attention[0].heads[0].entropy) - log(Double(count))) < 1e-6)
  }

  @Test func certainAttentionHasNoEntropy() {
    let analysis = Analysis(text: "", tokens: ["a", "b"], attention: [[[1, 0, 0, 1], [.nan, 0, 0, 1]]])
    #expect(analysis.attention[0].heads[0].entropy == 0 && analysis.attention[0].heads[1].entropy == nil)
    #expect(analysis.attention[0].heads[0].weights == Data([255, 0, 0, 255]))
    #expect(analysis.attention[0].heads[1].weights == Data([0, 0, 0, 255]))
  }

  /// By hand: rows (1), (½, ½) and (0.895, 0.1, 0.005).
  @Test func headsAreToldApartByHand() throws {
    let weights: [Float] = [1, 0, 0, 0.5, 0.5, 0, 0.895, 0.1, 0.005]
    let head = Analysis(text: "", tokens: ["a", "b", "c"], attention: [[weights]]).attention[0]
    let focus = try #require(head.heads[0].focus)
    #expect(abs(focus.peak - (1 + 0.5 + 0.895) / 3) < 1e-6 && abs(focus.own - (1 + 0.5 + 0.005) / 3) < 1e-6)
    // One of six weights that the mask leaves; without a mask four of nine.
    #expect(focus.sparsity == 1.0 / 6)
    let full = Analysis(text: "", tokens: ["a", "b", "c"], attention: [[weights]], isCausal: false)
    #expect(full.attention[0].heads[0].focus?.sparsity == 4.0 / 9)
    // A row that is not finite says nothing.
    let broken = Analysis(text: "", tokens: ["a"], attention: [[[.nan]]])
    #expect(broken.attention[0].heads[0].focus == nil && broken.attention[0].temperatureEntropies == nil)
  }

  /// Against softmax of the logits themselves at each temperature, in float64.
  @Test func temperatureNeedsNoLogits() throws {
    let logits = [[0.0], [1, -2], [0.5, 3, -1], [2, 2, 2, -4]]
    func softmax(_ row: [Double], _ temperature: Double) -> [Double] {
      let e = row.map { exp($0 / temperature) }
      return e.map { $0 / e.reduce(0, +) }
    }
    let weights = logits.flatMap { row in
      softmax(row, 1).map { Float($0) } + [Float](repeating: 0, count: 4 - row.count)
    }
    let layer = Analysis(text: "", tokens: ["a", "b", "c", "d"], attention: [[weights]]).attention[0]
    let found = try #require(layer.temperatureEntropies)
    for (temperature, entropy) in zip(Analysis.temperatures, found) {
      let expected = logits.map { row in softmax(row, temperature).reduce(0) { $1 > 0 ? $0 - $1 * log($1) : $0 } }
      #expect(abs(entropy - expected.reduce(0, +) / 4) < 1e-5, "\(temperature)")
    }
    // At 1 it is the model's own.
    #expect(abs(found[5] - (layer.heads[0].entropy ?? 0)) < 1e-6)
  }

  @Test func positionsAreScaledBetweenTheirBounds() {
    let positions = Analysis.Positions(kind: .learned, table: [[-2, 0, 2], [1, .nan, 2]])
    #expect(positions.rows == 2 && positions.columns == 3 && positions.minimum == -2 && positions.maximum == 2)
    #expect(positions.values == Data([0, 128, 255, 191, 0, 255]))
    #expect(Analysis.Positions(kind: .rotary, table: [[5, 5]]).values == Data([0, 0]))
    #expect(Analysis.Positions(kind: .rotary, table: []).values.isEmpty)
  }

  @Test func pageHoldsTheBytesOfEveryMap() throws {
    try withTemporaryFolder { folder in
      let run = try RunFolder.create(at: "\(folder)/run", command: "pretrain", configuration: ["a": 1])
      let analysis = exampleAnalysis(
        text: "one two three", layers: 2, heads: 3,
        positions: .init(kind: .sinusoidal, table: sinusoids(positions: 5, width: 6)))
      try analysis.write(to: run)
      let page = try Pretraining.report(of: run).html(chartJS: "")
      let data = try #require(try island("attention-data", in: page))
      let layers = try #require(data["layers"]?.array)
      #expect(layers.count == 2 && data["causal"] == true)
      for (layer, heads) in layers.enumerated() {
        #expect(heads.array?.count == 3)
        for (head, map) in (heads.array ?? []).enumerated() {
          let bytes = Data(base64Encoded: try #require(map.string))
          #expect(bytes == analysis.attention[layer].heads[head].weights)
          #expect(bytes?.count == analysis.tokens.count * analysis.tokens.count)
        }
      }
      let values = try #require(try island("positions-data", in: page)?["values"]?.string)
      #expect(Data(base64Encoded: values)?.count == 30)
      #expect(page.split(separator: "data-layer=").count == 7)
      // A dot for each head; the means of layers; a line for each layer.
      let charts = try #require(try island("heads-data", in: page)?.array)
      let counts = charts.map { chart in
        (chart["configuration"]?["data"]?["datasets"]?.array ?? []).map { $0["data"]?.array?.count ?? 0 }
      }
      #expect(counts == [[6, 6], [6, 2], [6, 2], [11, 11]])
      // Measured costs are those of a trained model only.
      #expect(!page.contains("id=\"cost\""))
      // Head 2 of layer 0 looks evenly.
      #expect(page.contains("\u{B7} 100\u{A0}%"))
    }
  }

  @Test(arguments: [
    (
      #"{"text":"","tokens":["a","b"],"attention":[{"heads":[{"entropy":0,"weights":"AAAA"}]}]}"#,
      "attention[0].heads[0].weights: 3 bytes for 2 tokens"
    ),
    (
      #"{"text":"","tokens":[],"attention":[{"heads":[{"entropy":"x","weights":""}]}]}"#,
      "attention[0].heads[0].entropy"
    ),
    (#"{"text":"","tokens":[],"attention":[{"heads":[{"weights":"*"}]}]}"#, "attention[0].heads[0].weights"),
    (#"{"tokens":[]}"#, "text"), ("{", "the file"), ("", "the file"), ("[]", "the file"),
    (#"{"text":"","tokens":[],"positions":{"kind":"circular"}}"#, "positions.kind"),
    (
      #"{"text":"","tokens":[],"positions":{"kind":"rotary","minimum":0,"maximum":1,\#n"rows":4611686018427387904,"columns":4,"values":""}}"#,
      "positions.values: 0 bytes"
    ),
    (
      #"{"text":"","tokens":[],"positions":{"kind":"rotary","minimum":0,"maximum":1,\#n"rows":-1,"columns":-1,"values":"AA=="}}"#,
      "positions.values: 1 bytes"
    ),
  ])
  func namesWhatIsWrongInTheFile(text: String, expected: String) throws {
    try withTemporaryFolder { folder in
      let run = try RunFolder.create(at: "\(folder)/run", command: "pretrain", configuration: ["a": 1])
      try AtomicFile.write(text, to: "\(run.path)/analysis.json")
      let error = try #require(throws: ReportError.self) { try Pretraining.report(of: run).html(chartJS: "") }
      #expect(error.description.hasPrefix("\(run.path)/analysis.json: \(expected)"), "\(error)")
    }
  }
}
