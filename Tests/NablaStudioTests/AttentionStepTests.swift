import FoundationEssentials
import Glibc
import NablaStudio
import Testing

struct AttentionStepTests {
  struct Head: Decodable {
    let tokens: [String]
    let cut: Int
    let queries, keys, values, scores, weights, output: DecodedTensor
    let entropies, largestEntropies: [Double]
    let tiledDifference: Double
  }

  /// The chapter's formula in float64, from the queries, keys and values that the page shows.
  @Test(arguments: [(true, true, 1.0), (false, true, 1.0), (true, false, 0.5), (true, true, 4.0)])
  func weightsAndOutputFollowFromWhatIsShown(_ scaled: Bool, _ causal: Bool, _ temperature: Double) throws {
    let head: Head = try untrained.decoded(
      "attention", "attend",
      [
        "text": "Hello there", "layer": "1", "head": "3", "scaled": scaled ? "1" : "0", "causal": causal ? "1" : "0",
        "temperature": "\(temperature)",
      ]
    ).value
    let (count, size) = (head.tokens.count, head.queries.shape[1])
    #expect(count == 11)
    for i in 0..<count {
      let seen = Array(0..<(causal ? i + 1 : count))
      let scores = seen.map { j in
        zip(head.queries.row(i), head.keys.row(j)).reduce(0) { $0 + $1.0 * $1.1 } / temperature
          / (scaled ? Double(size).squareRoot() : 1)
      }
      let total = scores.reduce(0) { $0 + exp($1) }
      var entropy = 0.0
      for j in 0..<count {
        let weight = causal && j > i ? 0 : exp(scores[j]) / total
        #expect(abs(head.weights.row(i)[j] - weight) < 1e-5)
        if weight > 0 { entropy -= weight * log(weight) }
      }
      #expect(abs(head.entropies[i] - entropy) < 1e-5)
      #expect(abs(head.largestEntropies[i] - log(Double(seen.count))) < 1e-12)
      for d in 0..<size {
        let expected = seen.reduce(0) { $0 + exp(scores[$1]) / total * head.values.row($1)[d] }
        #expect(abs(head.output.row(i)[d] - expected) < 1e-5)
      }
    }
    #expect(head.tiledDifference < 1e-4)
  }

  struct Rotary: Decodable {
    let score, shifted: Double
    let grid: DecodedTensor
    let query, key: [[Double]]
    let frequencies: [Double]
    let modelChange: Double?
  }

  @Test func onlyTheDistanceOfPositionsCounts() throws {
    let answer: Rotary = try untrained.decoded("attention", "rotary", ["m": "9", "n": "3", "shift": "100"]).value
    #expect(abs(answer.score - answer.shifted) < 1e-4)
    for m in 1..<24 { for n in 1..<24 { #expect(abs(answer.grid.row(m)[n] - answer.grid.row(m - 1)[n - 1]) < 1e-4) } }
    #expect(abs(answer.grid.row(9)[3] - answer.score) < 1e-6)
    // Rows differ: positions do something.
    #expect(abs(answer.grid.row(9)[3] - answer.grid.row(9)[4]) > 1e-3)
    for (i, frequency) in answer.frequencies.enumerated() { #expect(abs(frequency - pow(100, -Double(i) / 4)) < 1e-12) }
    #expect(try #require(answer.modelChange) < 1e-5)
  }

  struct Cache: Decodable {
    struct Share: Decodable { let keyValueHeads: Int, bytes: Double }
    let shares: [Share]
    let groups: Int
  }

  /// A model of 70 billion parameters (80 layers, 64 heads of 128) at 32,768 positions: 80 GiB, and an eighth of it with
  /// eight key/value heads.
  @Test func cacheTakesWhatTheChapterCounts() throws {
    let answer: Cache = try untrained.decoded("attention", "cache", ["shape": "llama70b", "context": "32768"]).value
    #expect(answer.groups == 8)
    #expect(answer.shares.first { $0.keyValueHeads == 64 }?.bytes == 80 * 0x1p30)
    #expect(answer.shares.first { $0.keyValueHeads == 8 }?.bytes == 10 * 0x1p30)
    #expect(answer.shares.first { $0.keyValueHeads == 1 }?.bytes == 1.25 * 0x1p30)
  }

  struct Tiled: Decodable {
    struct Pass: Decodable { let difference: Double, sums: [Double] }
    let passes: [Pass]
    let differenceFromExact, differenceFromKernel: Double
  }

  @Test(arguments: [1, 3, 4, 12])
  func tilesGiveTheSameOutput(_ tile: Int) throws {
    let answer: Tiled = try untrained.decoded("attention", "tiled", ["text": "Hello there", "tile": "\(tile)"]).value
    #expect(answer.passes.count == (11 + tile - 1) / tile)
    #expect(answer.differenceFromExact < 1e-13)
    #expect(answer.differenceFromKernel < 1e-5)
    if answer.passes.count > 1 { #expect(answer.passes[0].difference > 1e-6) }
  }

  struct Saturation: Decodable {
    struct Point: Decodable { let temperature, entropy, passed: Double }
    let sizes: [Int]
    let deviations: [Double]
    let points: [Point]
    let largestEntropy: Double
  }

  @Test func spreadGrowsWithTheRootAndEntropyWithTemperature() throws {
    let answer: Saturation = try untrained.decoded("attention", "saturation", ["seed": "5"]).value
    // Twelve standard errors of 2,000 draws; products of few numbers have heavy tails.
    for (size, deviation) in zip(answer.sizes, answer.deviations) {
      #expect(abs(deviation / Double(size).squareRoot() - 1) < 0.2)
    }
    for (low, high) in zip(answer.points, answer.points.dropFirst()) { #expect(low.entropy <= high.entropy + 1e-9) }
    #expect(answer.points.last!.entropy <= answer.largestEntropy + 1e-6)
    let again: Saturation = try untrained.decoded("attention", "saturation", ["seed": "5"]).value
    #expect(again.deviations == answer.deviations)
  }

  @Test(arguments: ["", "\u{200B}", "🐈‍⬛ עברית", String(repeating: "a b ", count: 2500)])
  func anyTextIsReadOrRefused(_ text: String) throws {
    if text.isEmpty {
      let error = #expect(throws: StudioError.self) {
        try untrained.answer("attention", "attend", StudioQuery(["text": text]))
      }
      #expect(error?.description.contains("there is no text") == true)
    } else {
      let head: Head = try untrained.decoded("attention", "attend", ["text": text]).value
      #expect(head.tokens.count <= 48 && head.tokens.count + head.cut == text.utf8.count)
    }
  }

  @Test func refusesWhatIsOutOfRange() {
    for query in [
      ["layer": "4"], ["head": "-1"], ["temperature": "0"], ["text": String(repeating: "a", count: 10_001)],
    ] {
      #expect(throws: StudioError.self) { try untrained.answer("attention", "attend", StudioQuery(query)) }
    }
  }
}
