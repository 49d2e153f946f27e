import Glibc
import NablaStudio
import NablaTensor
import Testing

/// A reward model that learns from the reader's choices.
struct JudgeTests {
  // MARK: The fit

  /// Features whose first is what decides, and the choices that follow from it.
  private func choices(_ count: Int, width: Int, seed: UInt64) -> (chosen: [[Float]], rejected: [[Float]]) {
    var random = RandomSource(seed: seed)
    let values = random.normal([2 * count, width]).array(of: Float.self)
    let rows = (0..<2 * count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    let pairs = (0..<count).map { (rows[2 * $0], rows[2 * $0 + 1]) }
    return (pairs.map { $0[0] > $1[0] ? $0 : $1 }, pairs.map { $0[0] > $1[0] ? $1 : $0 })
  }

  /// Against many small steps of gradient descent on the formula, in float64.
  @Test(arguments: [1, 2, 9])
  func theFitIsTheMinimum(_ count: Int) {
    let (chosen, rejected) = choices(count, width: 5, seed: 4)
    let all = chosen + rejected
    let scales = (0..<5).map { c -> Double in
      let column = all.map { Double($0[c]) }
      let mean = column.reduce(0, +) / Double(column.count)
      return 1 / (column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(column.count)).squareRoot()
    }
    var differences = zip(chosen, rejected).map { yes, no in
      (0..<5).map { (Double(yes[$0]) - Double(no[$0])) * scales[$0] }
    }
    let length = (differences.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } } / Double(count)).squareRoot()
    differences = differences.map { $0.map { $0 / length } }
    var weights = [Double](repeating: 0, count: 5)
    for _ in 0..<20_000 {
      var gradient = weights.map { 0.1 * $0 }
      for d in differences {
        let margin = zip(weights, d).reduce(0) { $0 + $1.0 * $1.1 }
        for c in 0..<5 { gradient[c] -= d[c] / (1 + exp(margin)) }
      }
      for c in 0..<5 { weights[c] -= 0.1 * gradient[c] }
    }
    let fit = BradleyTerryFit(chosen: chosen, rejected: rejected)
    for c in 0..<5 { #expect(abs(fit.weights[c] - weights[c] * scales[c] / length) < 1e-4) }
    let loss = differences.reduce(0) { sum, d in
      sum + log1p(exp(-zip(weights, d).reduce(0) { $0 + $1.0 * $1.1 }))
    }
    #expect(abs(fit.loss - loss / Double(count)) < 1e-4)
  }

  @Test func itGuessesChoicesThatItHasNotSeen() {
    let (chosen, rejected) = choices(60, width: 6, seed: 5)
    let fit = BradleyTerryFit(chosen: Array(chosen[..<30]), rejected: Array(rejected[..<30]))
    #expect((30..<60).count { fit.reward(chosen[$0]) > fit.reward(rejected[$0]) } >= 26)
  }

  @Test func nothingToLearnFrom() {
    #expect(BradleyTerryFit(chosen: [], rejected: []).reward([1, 2]) == 0)
    // Completions that the model cannot tell apart.
    let same = BradleyTerryFit(chosen: [[1, 2], [1, 2]], rejected: [[1, 2], [1, 2]])
    #expect(same.weights == [0, 0] && abs(same.loss - log(2)) < 1e-6)
  }

  // MARK: The answers

  struct Pair: Decodable {
    struct Completion: Decodable { let text: String, traits: [Double] }
    let prompt: String, completions: [Completion], isTrained: Bool
  }
  struct Judgement: Decodable {
    struct Prediction: Decodable { let index: Int, probability: Double, choseFirst, isRight: Bool }
    struct Correlation: Decodable { let trait: String, correlation: Double, more, different: Int }
    let rewards: [[Double]], predictions: [Prediction], right: Int, coin: Double, next: Double?
    let losses, surprises: [Double], correlations: [Correlation]
  }

  private func judged(_ choices: String) throws -> Judgement {
    try untrained.decoded("rlhf", "judge", ["choices": choices]).value
  }

  @Test func aJudgeBeforeAndAfterChoices() throws {
    let none = try judged("")
    #expect(none.next == 0.5 && none.predictions.isEmpty && none.losses.isEmpty && none.coin == 1)
    let one = try judged("a")
    #expect(one.losses.count == 1 && one.losses[0] < log(2) && one.predictions.isEmpty)
    #expect(abs(one.surprises[0] - log(2)) < 1e-9 && one.rewards[0][0] > one.rewards[0][1])
    // The other choice is the mirror image.
    let other = try judged("b")
    #expect(abs(one.rewards[0][0] + other.rewards[0][0]) < 1e-4 && abs(one.next! + other.next! - 1) < 1e-4)
  }

  @Test func guessesComeBeforeTheirChoices() throws {
    let (before, after) = (try judged("abs"), try judged("absb"))
    // A pair that was left out is no choice and no guess.
    #expect(before.losses.count == 2 && before.rewards.count == 3 && before.predictions.map(\.index) == [1])
    let guess = after.predictions.last!
    #expect(guess.index == 3 && guess.probability == before.next && !guess.choseFirst)
    #expect(guess.isRight == (before.next! < 0.5) && after.right == after.predictions.count(where: \.isRight))
    #expect(abs(after.surprises[2] + log(1 - guess.probability)) < 1e-9)
    // Two guesses: both right one time in four, at least one three times.
    #expect(abs(after.coin - [1, 0.75, 0.25][after.right]) < 1e-9)
    #expect(abs(after.rewards.flatMap { $0 }.reduce(0, +)) < 1e-6)
  }

  @Test func correlationsAreThoseOfTheTraits() throws {
    let judgement = try judged("aab")
    let pairs: [Pair] = try (0..<3).map {
      try untrained.decoded("rlhf", "pair", ["index": "\($0)"]).value
    }
    let words = pairs.flatMap(\.completions).map { $0.traits[0] }
    let rewards = judgement.rewards.flatMap { $0 }
    let (mw, mr) = (words.reduce(0, +) / 6, rewards.reduce(0, +) / 6)
    let product = zip(words, rewards).reduce(0) { $0 + ($1.0 - mw) * ($1.1 - mr) }
    let size = (words.reduce(0) { $0 + ($1 - mw) * ($1 - mw) } * rewards.reduce(0) { $0 + ($1 - mr) * ($1 - mr) })
      .squareRoot()
    #expect(abs(judgement.correlations[0].correlation - (size > 0 ? product / size : 0)) < 1e-9)
    let more = zip(pairs, "aab").count { pair, mark in
      let gap = pair.completions[0].traits[0] - pair.completions[1].traits[0]
      return mark == "a" ? gap > 0 : gap < 0
    }
    #expect(judgement.correlations[0].trait == "words" && judgement.correlations[0].more == more)
  }

  struct Score: Decodable { let reward: Double, below, seen: Int, traits: [Double] }

  @Test func textsOfTheReaderAreScored() throws {
    let score: Score = try untrained.decoded(
      "rlhf", "score", ["choices": "ab", "text": "Fine, fine, FINE! It is"]
    ).value
    #expect(score.seen == 4 && (0...4).contains(score.below) && score.reward.isFinite)
    // Five words of which two were there before, one exclamation mark, and no end.
    #expect(score.traits == [5, 0.4, 1, 1])
    #expect(throws: StudioError.self) { try untrained.answer("rlhf", "score", StudioQuery(["text": "Hello."])) }
    #expect(throws: StudioError.self) { try untrained.answer("rlhf", "score", StudioQuery(["choices": "s"])) }
  }

  @Test(arguments: [
    ["choices": "abx"], ["choices": String(repeating: "a", count: 31)], ["seed": "-1"], ["choices": "a\u{301}"],
  ])
  func nonsenseIsRefused(_ query: [String: String]) {
    #expect(throws: StudioError.self) { try untrained.answer("rlhf", "judge", StudioQuery(query)) }
  }

  @Test func pairsAreBounded() {
    #expect(throws: StudioError.self) { try untrained.answer("rlhf", "pair", StudioQuery(["index": "31"])) }
    let long = String(repeating: "a", count: 401)
    #expect(throws: StudioError.self) {
      try untrained.answer("rlhf", "score", StudioQuery(["choices": "a", "text": long]))
    }
  }
}
