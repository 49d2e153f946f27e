import Glibc
import NablaLanguage
import NablaTensor
import NablaTraining
import Testing

@Suite struct SamplingTests {
  /// ln of 0.5, 0.25, 0.15, 0.1 in an order of its own: tokens 2, 0, 3, 1.
  private let logits: [Float] = [-1.386_294_4, -2.302_585, -0.693_147_2, -1.897_12]

  /// How often each token comes in 4000 draws.
  private func counts(
    _ options: SamplingOptions, _ logits: [Float], seen: [Int32] = [], generated: [Int32] = []
  ) -> [Int] {
    var random = RandomSource(seed: 17)
    var counts = [Int](repeating: 0, count: logits.count)
    var history = SamplingOptions.History(prompt: seen)
    for token in generated { history.append(token) }
    for _ in 0..<4000 {
      var scores = logits
      scores.withUnsafeMutableBufferPointer {
        counts[Int(options.choose(from: Logits($0), history: history, random: &random).token)] += 1
      }
    }
    return counts
  }

  /// Within five standard deviations of 4000 draws; never at all where the probability is 0.
  private func expect(
    _ options: SamplingOptions, gives probabilities: [Double], seen: [Int32] = [], generated: [Int32] = [],
    at location: SourceLocation = #_sourceLocation
  ) {
    for (count, p) in zip(counts(options, logits, seen: seen, generated: generated), probabilities) {
      let deviation = (4000 * p * (1 - p)).squareRoot()
      #expect(abs(Double(count) - 4000 * p) <= 5 * deviation, sourceLocation: location)
    }
  }

  @Test func plain() { expect(.init(temperature: 1), gives: [0.25, 0.1, 0.5, 0.15]) }

  /// The largest penalties and rewards are certain, and never numbers that no probability can be made of.
  @Test(arguments: [0, 2]) func extremes(_ topK: Int) {
    #expect(counts(.init(temperature: 1, topK: topK, frequencyPenalty: -3e38), logits, generated: [3, 3])[3] == 4000)
    let reward = SamplingOptions(temperature: 1, topK: topK, repetitionPenalty: .leastNonzeroMagnitude)
    #expect(counts(reward, [2, 1, 3, 1], seen: [1])[1] == 4000)
    #expect(counts(.init(temperature: 1, topK: topK, frequencyPenalty: 3e38), logits, generated: [2, 2])[2] == 0)
  }

  @Test func greedy() {
    expect(.init(temperature: 0), gives: [0, 0, 1, 0])
    #expect(counts(.init(temperature: 0), [1, 3, 3])[1] == 4000, "the first of equals")
  }

  /// p^(1/T): T = 1/2 squares the probabilities, 0.25 + 0.0625 + 0.0225 + 0.01 = 0.345.
  @Test func temperature() {
    expect(.init(temperature: 0.5), gives: [0.0625 / 0.345, 0.01 / 0.345, 0.25 / 0.345, 0.0225 / 0.345])
  }

  @Test func topK() {
    expect(.init(temperature: 1, topK: 1), gives: [0, 0, 1, 0])
    expect(.init(temperature: 1, topK: 2), gives: [1.0 / 3, 0, 2.0 / 3, 0])
    expect(.init(temperature: 1, topK: 9), gives: [0.25, 0.1, 0.5, 0.15])
  }

  /// The token that crosses the sum stays.
  @Test func topP() {
    expect(.init(temperature: 1, topP: 0.4), gives: [0, 0, 1, 0])
    expect(.init(temperature: 1, topP: 0.6), gives: [1.0 / 3, 0, 2.0 / 3, 0])
    expect(.init(temperature: 1, topP: 0.8), gives: [0.25 / 0.9, 0, 0.5 / 0.9, 0.15 / 0.9])
    // Top-k comes first and its probabilities are 2/3 and 1/3: 0.6 of them is the first alone.
    expect(.init(temperature: 1, topK: 2, topP: 0.6), gives: [0, 0, 1, 0])
  }

  /// A fraction of the best's 0.5: 0.4 of it is 0.2, 0.25 of it is 0.125.
  @Test func minP() {
    expect(.init(temperature: 1, minP: 0.4), gives: [1.0 / 3, 0, 2.0 / 3, 0])
    expect(.init(temperature: 1, minP: 0.25), gives: [0.25 / 0.9, 0, 0.5 / 0.9, 0.15 / 0.9])
    expect(.init(temperature: 1, minP: 1), gives: [0, 0, 1, 0])
    // After top-k and top-p, which let in what min-p takes out.
    expect(.init(temperature: 1, topK: 3, minP: 0.4), gives: [1.0 / 3, 0, 2.0 / 3, 0])
    expect(.init(temperature: 1, topP: 0.9, minP: 0.4), gives: [1.0 / 3, 0, 2.0 / 3, 0])
    // After the temperature: squared, 0.0625 is 0.25 of 0.25.
    expect(.init(temperature: 0.5, minP: 0.24), gives: [0.2, 0, 0.8, 0])
  }

  /// Negative logits are multiplied: ln 0.5 · 2 = ln 0.25, so that token 2 weighs as much as token 0. However often a
  /// token was seen, it counts once.
  @Test func repetitionPenalty() {
    let options = SamplingOptions(temperature: 1, repetitionPenalty: 2)
    expect(options, gives: [0.25 / 0.75, 0.1 / 0.75, 0.25 / 0.75, 0.15 / 0.75], seen: [2, 2, 2])
    // Positive ones are divided: 3 / 2 < 2.
    let greedy = SamplingOptions(temperature: 0, repetitionPenalty: 2)
    #expect(counts(greedy, [3, 2], seen: [0]) == [0, 4000])
    #expect(counts(greedy, [3, 2], seen: []) == [4000, 0])
  }

  /// Only generated tokens count: each time, or once.
  @Test func frequencyAndPresencePenalties() {
    // Token 2 came twice: ln 0.5 - 2 · ln √2 = ln 0.25. Token 0 was only in the prompt.
    expect(
      .init(temperature: 1, frequencyPenalty: 0.346_573_6), gives: [0.25 / 0.75, 0.1 / 0.75, 0.25 / 0.75, 0.15 / 0.75],
      seen: [0, 0], generated: [2, 2])
    expect(
      .init(temperature: 1, presencePenalty: 0.693_147_2), gives: [0.25 / 0.75, 0.1 / 0.75, 0.25 / 0.75, 0.15 / 0.75],
      seen: [0, 0], generated: [2, 2])
  }

  /// Over a large vocabulary, where only the likeliest tokens are sorted: what is drawn is what sorting all would give.
  @Test(arguments: [
    SamplingOptions(temperature: 1.3), .init(temperature: 1, topK: 50), .init(temperature: 1, topK: 3000),
    .init(temperature: 1, topP: 0.5),
    .init(temperature: 1, topP: 0.999), .init(temperature: 2, topK: 700, topP: 0.9, minP: 0.01),
    .init(temperature: 0.7, minP: 0.02), .init(temperature: 1, topK: 5000, topP: 0.95),
  ]) func selectionEqualsSorting(_ options: SamplingOptions) {
    var random = RandomSource(seed: 4)
    let logits = random.normal([4096], standardDeviation: 2).array()
    let weights = logits.map { exp(Double($0) / Double(options.temperature)) }
    var order = weights.indices.sorted { weights[$0] > weights[$1] }
    if options.topK > 0 { order = Array(order.prefix(options.topK)) }
    let total = order.reduce(0) { $0 + weights[$1] }
    var sum = 0.0
    let nucleus = order.prefix { index in
      defer { sum += weights[index] }
      return sum < Double(options.topP) * total
    }
    let allowed = Set(nucleus.filter { weights[$0] >= Double(options.minP) * weights[nucleus[0]] })
    let mass = allowed.reduce(0) { $0 + weights[$1] }
    var drawn: Set<Int> = []
    for _ in 0..<2000 {
      var scores = logits
      let choice = scores.withUnsafeMutableBufferPointer { options.choose(from: Logits($0), random: &random) }
      drawn.insert(Int(choice.token))
      let expected = log(weights[Int(choice.token)] / mass)
      #expect(abs(Double(choice.logProbability) - expected) < 1e-4)
    }
    #expect(drawn.isSubset(of: allowed))
    // All the likely ones come.
    for index in allowed where weights[index] / mass > 0.01 { #expect(drawn.contains(index)) }
  }

  @Test func extremesStayValid() {
    for options in [SamplingOptions(temperature: 1e-30), .init(temperature: 1e30), .init(topP: 1e-9), .init(minP: 1)] {
      let c = counts(options, [1000, -1000, -.infinity])
      #expect(c[2] == 0 && c[0] + c[1] == 4000)
    }
    // A damaged model's logits give some token, not a crash.
    for options in [SamplingOptions(), .init(temperature: 0), .init(topK: 1), .init(topP: 0.5), .init(minP: 0.5)] {
      #expect(counts(options, [.nan, .nan]).reduce(0, +) == 4000)
    }
  }

  @Test func validation() throws {
    try SamplingOptions().validate()
    let bad: [(SamplingOptions, String)] = [
      (.init(temperature: -1), "temperature"), (.init(temperature: .nan), "temperature"),
      (.init(topK: -1), "top-k"), (.init(topP: 0), "top-p"), (.init(topP: 1.1), "top-p"),
      (.init(minP: 2), "min-p"), (.init(repetitionPenalty: 0), "repetition-penalty"),
      (.init(frequencyPenalty: .nan), "frequency-penalty"), (.init(presencePenalty: .infinity), "presence-penalty"),
    ]
    for (options, flag) in bad {
      let error = #expect(throws: ConfigurationError.self) { try options.validate() }
      #expect(try #require(error).problem.hasPrefix(flag))
    }
  }
}
