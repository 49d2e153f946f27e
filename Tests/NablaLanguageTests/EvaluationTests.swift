import Glibc
import NablaFormats
import NablaLanguage
import NablaTensor
import NablaText
import Testing

@Suite struct EvaluationTests {
  /// ln of the probability of each token but the first `from`, each from at most `context` tokens before it.
  private func logProbabilities(_ model: TransformerLM, _ ids: ArraySlice<Int32>) -> [Double] {
    let input = Tensor(Array(ids.dropLast()), [1, ids.count - 1])
    let rows = model.logits(model(input))[0].logSoftmax()
    return ids.dropFirst().enumerated().map { Double(rows[$0].array()[Int($1)]) }
  }

  /// Overlapping windows: each token counts once, in the first window that predicts it.
  @Test(arguments: [1, 5, 15, 16]) func strides(_ stride: Int) throws {
    let model = lively(configuration(vocabulary: 257))
    let ids = tokens([71], below: 257).array(of: Int32.self)
    var (sum, counted, start) = (0.0, 0, 0)
    while counted < ids.count - 1 {
      let end = min(start + 17, ids.count)
      let values = logProbabilities(model, ids[start..<end])
      sum += values[(counted - start)...].reduce(0, +)
      counted = end - 1
      start += stride
    }
    for batchSize in [1, 3] {
      let result = try model.evaluate(
        TokenDataset(ids, vocabularySize: 257), tokenizer: ByteTokenizer(), stride: stride, batchSize: batchSize)
      #expect(result.tokens == 70)
      #expect(abs(result.loss + sum / 70) < 1e-5)
    }
  }

  @Test func choicesAreScoredByTheirTokens() throws {
    let model = lively(configuration(vocabulary: 257, context: 64))
    let tokenizer = ByteTokenizer()
    let choices = ["yes", "yellow", "no", "a long answer"]
    for prompt in ["Is it?", "Is it?  ", ""] {
      let scores = try model.logProbabilities(of: choices, after: prompt, tokenizer: tokenizer, firstToken: 256)
      for (choice, score) in zip(choices, scores) {
        let trimmed = prompt.isEmpty ? "" : "Is it?"
        let spaces = prompt.count > 6 ? "  " : " "
        let beginning = (trimmed.isEmpty ? [256] : []) + (try tokenizer.encode(trimmed))
        let whole = beginning + (try tokenizer.encode(spaces + choice))
        let values = logProbabilities(model, whole[...])
        #expect(abs(score - values[(beginning.count - 1)...].reduce(0, +)) < 1e-3)
      }
    }
    #expect(throws: GenerationError.self) {
      try model.logProbabilities(
        of: ["a", "b"], after: String(repeating: "x", count: 80), tokenizer: tokenizer, firstToken: 256)
    }
  }

  /// A chain that says "b" after "a" and then anything: the long answer loses by its length, and wins normalized.
  @Test func accuracyRawAndNormalized() throws {
    let model = try chain([97: [(32, 1)], 32: [(98, 0.6), (99, 0.4)], 98: [(256, 1)], 99: [(99, 0.7), (256, 0.3)]])
    let questions = [
      ChoiceQuestion(prompt: "a", choices: ["b", "cccc"], answer: 0),
      .init(prompt: "a", choices: ["cc", "b"], answer: 1),
      .init(prompt: "a", choices: ["b", "cccccc"], answer: 1), .init(prompt: "a", choices: ["cccc", "b"], answer: 1),
    ]
    let result = try model.evaluate(questions, tokenizer: ByteTokenizer(), firstToken: 256)
    // ln 0.6 = -0.51 a byte; ln 0.4 + 3 ln 0.7 = -1.99, a quarter of it -0.50; with six c's -0.45 a byte.
    #expect(result == ChoiceAccuracy(questions: 4, right: 3, rightNormalized: 2))
  }

  /// What cannot be scored is named by its place, and a damaged model never has an accuracy.
  @Test func questionsThatHaveNoResult() throws {
    let model = try chain([97: [(32, 1)], 32: [(98, 1)]])
    func error(_ json: String) throws -> String {
      let question = try ChoiceQuestion(try JSONValue(parsing: Array(json.utf8)), place: "q.jsonl, line 3")
      let error = #expect(throws: (any Error).self) {
        try model.evaluate([question], tokenizer: ByteTokenizer(), firstToken: 256)
      }
      return "\(try #require(error))"
    }
    let long = String(repeating: "x", count: 80)
    let fault = try error(#"{"question": "\#(long)", "choices": ["a", "b"], "answer": 0}"#)
    #expect(fault.hasPrefix("q.jsonl, line 3: the prompt"))
    for parameter in model.parameters() { parameter.value.floats[0] = .nan }
    #expect(try error(#"{"question": "a", "choices": ["a", "b"], "answer": 0}"#).contains("non-finite"))
    #expect(throws: GenerationError.self) { try model.checkFinite(.nan) }
  }

  @Test func questionsOfAFile() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/questions.jsonl"
      try AtomicFile.write(
        """
        {"question": "1 + 1?", "choices": ["1", "2"], "answer": 1}

        {"prompt": "Which?", "choices": ["x", "y", "z"], "answer": "C"}
        {"prompt": "Which?", "choices": ["x", "y"], "answer": "x"}

        """, to: path)
      #expect(try ChoiceQuestion.list(contentsOfFile: path).map(\.answer) == [1, 2, 0])
      let bad = [
        ("{", "line 1"), ("[]", "\"question\""), (#"{"question": "q", "choices": ["a"], "answer": 0}"#, "two texts"),
        (#"{"question": "q", "choices": ["a", 2], "answer": 0}"#, "two texts"),
        (#"{"question": "q", "choices": ["a", "b"], "answer": 2}"#, "\"answer\""),
        (#"{"question": "q", "choices": ["a", "b"], "answer": "é"}"#, "\"answer\""),
        (#"{"question": "q", "choices": ["a", "b"]}"#, "\"answer\""), ("\n", "contains no questions"),
      ]
      for (text, problem) in bad {
        try AtomicFile.write(text, to: path)
        let error = #expect(throws: ModelFolderError.self) { try ChoiceQuestion.list(contentsOfFile: path) }
        #expect("\(try #require(error))".contains(problem), "\(text)")
        #expect("\(try #require(error))".hasPrefix(path))
      }
    }
  }

  // MARK: What a folder says about generation

  private func defaults(_ json: String) throws -> GenerationDefaults {
    try withTemporaryFolder { folder in
      try AtomicFile.write(json, to: folder + "/generation_config.json")
      return try GenerationDefaults(folder: folder, vocabularySize: 100)
    }
  }

  @Test func generationDefaults() throws {
    var expected = GenerationDefaults()
    #expect(try defaults("{}") == expected)
    (expected.endTokens, expected.beginToken) = ([2, 7], 1)
    #expect(try defaults(#"{"eos_token_id": [2, 7], "bos_token_id": 1, "temperature": 0.2}"#) == expected)
    expected.endTokens = [2]
    expected.sampling = SamplingOptions(temperature: 0.6, topK: 50, topP: 0.9)
    #expect(
      try defaults(#"{"do_sample": true, "eos_token_id": 2, "bos_token_id": 1, "temperature": 0.6, "top_p": 0.9}"#)
        == expected)
    for bad in [
      #"{"eos_token_id": 100}"#, #"{"eos_token_id": [1, "x"]}"#, #"{"bos_token_id": -1}"#,
      #"{"do_sample": true, "top_p": 2}"#, #"{"do_sample": 1}"#,
    ] {
      #expect(throws: ModelFolderError.self, "\(bad)") { try defaults(bad) }
    }
  }
}
