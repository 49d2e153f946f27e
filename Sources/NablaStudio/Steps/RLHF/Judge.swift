import Glibc

extension RLHFStep {
  /// What the page shows of a pair.
  struct ShownPair: Encodable {
    struct Completion: Encodable {
      var text: String
      var isCut: Bool
      var traits: [Double]
    }

    var prompt: String
    var completions: [Completion]
    var model: String
    var isTrained: Bool
    var largestTokenCount = CompletionPair.largestTokenCount
  }

  static let pair = Computation.answer("pair") { query, studio in
    let index = try query.integer("index", in: 0...CompletionPair.largestCount - 1, default: 0)
    let pair = try CompletionPair.sampled(index, seed: query.seed(), by: studio)
    let facts = try studio.model.use { $0.facts }
    return ShownPair(
      prompt: pair.prompt,
      completions: pair.both.map { .init(text: $0.text, isCut: $0.isCut, traits: traits(of: $0.text)) },
      model: facts.name, isTrained: facts.isTrained)
  }

  private static func traits(of text: String) -> [Double] { Trait.allCases.map { $0.of(text) } }

  /// A reward model learned from the reader's choices, and what it can be seen to have learned.
  struct Judgement: Encodable {
    struct Prediction: Encodable {
      /// Of the pair.
      var index: Int
      /// That the first is chosen, predicted from the choices before this one.
      var probability: Double
      var choseFirst: Bool
      var isRight: Bool
    }

    struct Correlation: Encodable {
      var trait: String
      /// Pearson's, of the learned reward with it, over the completions seen; 0 where either does not vary.
      var correlation: Double
      /// Of the choices between completions that differ in it, those in which the reader took the one with more.
      var more, different: Int
    }

    /// r of both completions of each pair seen, around their mean.
    var rewards: [[Double]] = []
    /// From the second choice on: before the first there is nothing to predict from.
    var predictions: [Prediction] = []
    var right = 0
    /// How probable it is that a fair coin gets as many right, or more.
    var coin = 1.0
    /// That the first of the next pair is chosen; ½ before the first choice.
    var next: Double?
    /// Mean loss of the choices so far after each, nats.
    var losses: [Double] = []
    /// -ln of the predicted probability of each choice, before it was learned from.
    var surprises: [Double] = []
    var correlations: [Correlation] = []
  }

  static let judge = Computation.answer("judge") { query, studio in
    let choices = try Choices(query)
    let seed = try query.seed()
    let pairs = try choices.marks.indices.map { try CompletionPair.sampled($0, seed: seed, by: studio) }
    var judgement = Judgement()
    var fit = BradleyTerryFit(chosen: [], rejected: [])
    var (chosen, rejected): ([SampledCompletion], [SampledCompletion]) = ([], [])
    for (index, (pair, mark)) in zip(pairs, choices.marks).enumerated() {
      guard let choseFirst = mark.choseFirst else { continue }
      let probability = fit.probability(of: pair)
      let ofChoice = choseFirst ? probability : 1 - probability
      judgement.surprises.append(-log(ofChoice))
      if !chosen.isEmpty {
        judgement.predictions.append(
          .init(index: index, probability: probability, choseFirst: choseFirst, isRight: ofChoice > 0.5))
      }
      chosen.append(choseFirst ? pair.first : pair.second)
      rejected.append(choseFirst ? pair.second : pair.first)
      fit = BradleyTerryFit(chosen: chosen.map(\.features), rejected: rejected.map(\.features))
      judgement.losses.append(fit.loss)
    }
    judgement.right = judgement.predictions.count(where: \.isRight)
    judgement.coin = coinProbability(atLeast: judgement.right, of: judgement.predictions.count)
    if pairs.count < CompletionPair.largestCount {
      judgement.next = fit.probability(of: try CompletionPair.sampled(pairs.count, seed: seed, by: studio))
    }
    let seen = pairs.flatMap(\.both)
    let rewards = seen.map { fit.reward($0.features) }
    let mean = rewards.reduce(0, +) / Double(max(rewards.count, 1))
    judgement.rewards = pairs.indices.map { [rewards[2 * $0] - mean, rewards[2 * $0 + 1] - mean] }
    judgement.correlations = Trait.allCases.map { trait in
      let signs = zip(chosen, rejected).map { trait.of($0.text) - trait.of($1.text) }
      return .init(
        trait: trait.rawValue, correlation: correlation(rewards, seen.map { trait.of($0.text) }),
        more: signs.count { $0 > 0 }, different: signs.count { $0 != 0 })
    }
    return judgement
  }

  /// The learned reward of a text that the reader writes to please or to fool it.
  struct Score: Encodable {
    /// On the scale of ``Judgement/rewards``.
    var reward: Double
    /// Of the completions seen, those with less.
    var below, seen: Int
    var traits: [Double]
  }

  static let score = Computation.answer("score") { query, studio in
    let choices = try Choices(query)
    let seed = try query.seed()
    let text = try query.text("text", atMost: 400, default: "")
    let pairs = try choices.marks.indices.map { try CompletionPair.sampled($0, seed: seed, by: studio) }
    let labeled = zip(pairs, choices.marks).compactMap { pair, mark in
      mark.choseFirst.map { $0 ? (pair.first, pair.second) : (pair.second, pair.first) }
    }
    guard !labeled.isEmpty else { throw StudioError("the judge has learned nothing yet: rank a pair first") }
    let fit = BradleyTerryFit(chosen: labeled.map(\.0.features), rejected: labeled.map(\.1.features))
    let rewards = pairs.flatMap(\.both).map { fit.reward($0.features) }
    let mean = rewards.reduce(0, +) / Double(rewards.count)
    let features = try studio.model.use { loaded in
      try loaded.features(of: [loaded.tokenizer.encode(text)], after: loaded.prompt(pairs.last!.prompt))[0]
    }
    let reward = fit.reward(features)
    return Score(
      reward: reward - mean, below: rewards.count { $0 < reward }, seen: rewards.count,
      traits: traits(of: text))
  }
}

/// Simple things that a reward model may have learned instead of what the reader meant.
enum Trait: String, CaseIterable {
  case words, repetition, exclamations, unfinished

  func of(_ text: String) -> Double {
    let words = text.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "'" && $0 != "’" }
    switch self {
    case .words: return Double(words.count)
    // The share of words that were there before.
    case .repetition: return words.isEmpty ? 0 : 1 - Double(Set(words).count) / Double(words.count)
    case .exclamations: return Double(text.count { $0 == "!" })
    case .unfinished:
      let last = text.last { !$0.isWhitespace && !"\"'”’)*".contains($0) }
      return last.map { ".!?".contains($0) } == true ? 0 : 1
    }
  }
}

/// The reader's choices as they stand in the address: a letter for each pair.
struct Choices {
  enum Mark: Character {
    case first = "a"
    case second = "b"
    case skipped = "s"

    var choseFirst: Bool? { self == .skipped ? nil : self == .first }
  }

  let marks: [Mark]

  init(_ query: StudioQuery) throws(StudioError) {
    let text = try query.text("choices", atMost: CompletionPair.largestCount - 1, default: "")
    var marks: [Mark] = []
    for letter in text {
      guard let mark = Mark(rawValue: letter) else {
        throw StudioError("choices must be letters a, b or s, one a pair", given: text)
      }
      marks.append(mark)
    }
    self.marks = marks
  }
}

extension BradleyTerryFit {
  /// σ(r₁ - r₂): that the first is preferred.
  fileprivate func probability(of pair: CompletionPair) -> Double {
    1 / (1 + exp(reward(pair.second.features) - reward(pair.first.features)))
  }
}

/// That a fair coin shows heads so often, or more.
private func coinProbability(atLeast heads: Int, of count: Int) -> Double {
  var (sum, ways) = (0.0, pow(0.5, Double(count)))
  for k in 0...count {
    if k >= heads { sum += ways }
    ways *= Double(count - k) / Double(k + 1)
  }
  return sum
}

private func correlation(_ x: [Double], _ y: [Double]) -> Double {
  let n = Double(max(x.count, 1))
  let (mx, my) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
  let (xx, yy) = (x.reduce(0) { $0 + ($1 - mx) * ($1 - mx) }, y.reduce(0) { $0 + ($1 - my) * ($1 - my) })
  let xy = zip(x, y).reduce(0) { $0 + ($1.0 - mx) * ($1.1 - my) }
  return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0
}
