import NablaLanguage
import NablaTensor
import NablaText

/// Two completions of one prompt, sampled from the studio's model: what the reader ranks.
struct CompletionPair: Sendable {
  var prompt: String
  var first, second: SampledCompletion

  var both: [SampledCompletion] { [first, second] }

  /// Our own. Short, so that an answer of a few dozen tokens says something.
  static let prompts = [
    "Why is the sky blue? Answer briefly.", "Write one sentence about the sea.",
    "How do I make a good cup of tea? Be brief.", "Suggest a name for a small gray cat, and say why.",
    "What is a black hole, in one or two sentences?", "Tell me a short joke.",
    "How can I fall asleep faster? Give me one piece of advice.", "Describe autumn in a few words.",
    "What should I cook tonight? Suggest one dish.",
    "What does a computer do? Explain it to a child in a sentence or two.",
    "Is it better to walk or to cycle? Answer briefly.", "Thank a friend for a present, in a sentence or two.",
  ]
  static let largestTokenCount = 48
  /// Pairs that a seed has.
  static let largestCount = 31
  /// The model's own distribution, without its least likely tail.
  static let sampling = SamplingOptions(temperature: 0.8, topP: 0.95)

  struct Key: Hashable, Sendable {
    var model: String
    var seed: UInt64
    var index: Int
  }

  private static let kept = Kept<Key, CompletionPair>(most: 128)

  /// The pair of this number; sampled if it has not been, which takes a second or two.
  static func sampled(_ index: Int, seed: UInt64, by studio: Studio) throws -> CompletionPair {
    try kept.value(for: Key(model: studio.model.identity, seed: seed, index: index)) {
      try studio.model.use { try CompletionPair(index, seed: seed, loaded: $0) }
    }
  }

  private init(_ index: Int, seed: UInt64, loaded: StudioModel.Loaded) throws {
    var order = RandomSource(seed: seed)
    prompt = Self.prompts.shuffled(using: &order)[index % Self.prompts.count]
    let tokens = try loaded.prompt(prompt)
    var random = RandomSource(seed: seed &* 1000 &+ UInt64(index))
    var completions: [Completion] = []
    // Two that are equal cannot be ranked; a model that always says the same is asked three times.
    for _ in 0..<3 where completions.isEmpty || completions[0].tokens == completions[1].tokens {
      let requests = (0..<2).map { _ in
        GenerationRequest(
          TokenRequest(
            prompt: tokens, maximumTokens: Self.largestTokenCount, sampling: Self.sampling,
            stopTokens: loaded.endTokens, random: random.split()))
      }
      completions = try InferenceCore(loaded.model, cacheType: .float32).complete(requests, tokenizer: loaded.tokenizer)
    }
    let features = try loaded.features(of: completions.map(\.tokens), after: tokens)
    (first, second) = (
      SampledCompletion(completions[0], features[0]), SampledCompletion(completions[1], features[1])
    )
  }
}

/// One of them.
struct SampledCompletion: Sendable {
  var text: String
  var tokens: [Int32]
  /// Whether it had more to say than it was given tokens.
  var isCut: Bool
  /// The last hidden state, [C].
  var features: [Float]

  init(_ completion: Completion, _ features: [Float]) {
    text = completion.text
    tokens = completion.tokens
    isCut = completion.reason == .length
    self.features = features
  }
}

extension StudioModel.Loaded {
  /// A prompt in the model's chat template; as it is for a model that has learned no turns.
  func prompt(_ text: String) throws -> [Int32] {
    guard let trained, !trained.text.chatTemplates.isEmpty else {
      return tokenizer.template.prefix + (try tokenizer.encode(text))
    }
    return try trained.text.encode([ChatMessage(role: "user", content: text)])
  }

  var endTokens: Set<Int32> { trained?.endTokens ?? [] }

  /// What a reward model reads: the hidden state at the end of each completion after the final norm, [C]. Every
  /// completion is closed by the token that ends an answer, also one that was cut, so that all are read at the same
  /// token.
  func features(of completions: [[Int32]], after prompt: [Int32]) throws -> [[Float]] {
    let end = tokenizer.endOfText.flatMap { endTokens.contains($0) ? $0 : endTokens.min() }
    let sequences = completions.map { completion in
      var tokens = prompt + completion
      if let end {
        if let last = completion.last, endTokens.contains(last) { tokens.removeLast() }
        tokens.append(end)
      }
      return tokens
    }
    return try sequences.map { tokens in
      guard tokens.count <= model.configuration.context else {
        throw StudioError("the text is too long for the model's context of \(model.configuration.context) tokens")
      }
      let hidden = model(Tensor(tokens, [1, tokens.count]))
      return hidden[0][tokens.count - 1].array(of: Float.self)
    }
  }
}
