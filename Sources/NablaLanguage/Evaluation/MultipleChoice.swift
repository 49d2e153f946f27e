import NablaFormats
import NablaNN
import NablaTensor
import NablaText

/// A multiple-choice question: `{"question": …, "choices": […], "answer": …}`.
public struct ChoiceQuestion: Sendable, Equatable {
  public var prompt: String
  public var choices: [String]
  /// The index of the right one.
  public var answer: Int
  /// The file and line it comes from, for errors.
  public var place: String?

  public init(prompt: String, choices: [String], answer: Int) {
    precondition(choices.indices.contains(answer), "the answer \(answer) of \(choices.count) choices")
    (self.prompt, self.choices, self.answer) = (prompt, choices, answer)
  }

  /// Reads one JSON object. `question` may also be called `prompt`; `answer` is an index from 0, a letter from A, or
  /// the text of a choice.
  ///
  /// - Parameters:
  ///   - value: an object.
  ///   - place: the file and line, for errors.
  public init(_ value: JSONValue, place: String) throws(ModelFolderError) {
    func failure(_ problem: String) -> ModelFolderError { ModelFolderError(file: place, problem: problem) }
    guard let prompt = (value["question"] ?? value["prompt"])?.string else {
      throw failure("expected an object with \"question\" (or \"prompt\"), \"choices\" and \"answer\"")
    }
    let choices = value["choices"]?.array?.compactMap(\.string) ?? []
    guard choices.count >= 2, choices.count == value["choices"]?.array?.count, choices.allSatisfy({ !$0.isEmpty })
    else {
      throw failure("\"choices\" must be a list of at least two texts")
    }
    let index: Int?
    switch value["answer"] {
    case .string(let text):
      let letter = text.utf8.count == 1 ? Int(text.utf8.first!) - Int(UInt8(ascii: "A")) : -1
      index = choices.firstIndex(of: text) ?? (choices.indices.contains(letter) ? letter : nil)
    case let number?: index = number.integer
    case nil: index = nil
    }
    guard let index, choices.indices.contains(index) else {
      throw failure("\"answer\" must be an index from 0, a letter from A, or one of the choices")
    }
    (self.prompt, self.choices, answer, self.place) = (prompt, choices, index, place)
  }

  /// Reads a JSONL file; blank lines are skipped.
  public static func list(contentsOfFile path: String) throws -> [ChoiceQuestion] {
    var questions: [ChoiceQuestion] = []
    for (number, line) in try MappedFile(path: path).lines() {
      let place = "\(path), line \(number)"
      do {
        questions.append(try ChoiceQuestion(try JSONValue(parsing: line), place: place))
      } catch let error as JSONError {
        throw ModelFolderError(file: place, problem: "\(error)")
      }
    }
    if questions.isEmpty { throw ModelFolderError(file: path, problem: "contains no questions") }
    return questions
  }
}

extension MappedFile {
  /// Non-blank lines, with their numbers from 1.
  fileprivate func lines() -> [(number: Int, bytes: [UInt8])] {
    withBytes { bytes in
      TextBytes.withoutMark(bytes).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        .compactMap {
          index, line in
          line.allSatisfy { $0 <= UInt8(ascii: " ") } ? nil : (index + 1, Array(line))
        }
    }
  }
}

/// The accuracy of a model on multiple-choice questions.
public struct ChoiceAccuracy: Codable, Sendable, Equatable {
  public var questions = 0
  /// Correct if the choice with the highest log-probability is right.
  public var right = 0
  /// The same with log-probabilities divided by the choices' lengths in bytes, so that short ones have no advantage.
  public var rightNormalized = 0

  public init(questions: Int = 0, right: Int = 0, rightNormalized: Int = 0) {
    (self.questions, self.right, self.rightNormalized) = (questions, right, rightNormalized)
  }

  public var accuracy: Double { Double(right) / Double(max(questions, 1)) }
  public var normalizedAccuracy: Double { Double(rightNormalized) / Double(max(questions, 1)) }
}

extension TransformerLM {
  /// ln of the probability of each choice after the prompt, one space in between.
  ///
  /// Prompt and choice are encoded together, as EleutherAI's evaluation harness does: a choice begins where the tokens
  /// of the prompt alone would end. The choices' common prefix is computed once.
  /// - Throws: ``GenerationError`` if a choice does not fit into the context or adds no token to the prompt's, or
  ///   if the model's logits are non-finite.
  public func logProbabilities(
    of choices: [String], after prompt: String, tokenizer: any Tokenizer, firstToken: Int32
  ) throws -> [Double] {
    // The space belongs to the choice, as in tokenizers.
    let trimmed = String(prompt.reversed().drop { $0 == " " }.reversed())
    let spaces = String(repeating: " ", count: max(1, prompt.count - trimmed.count))
    let beginning = tokenizer.template.prefix.isEmpty && trimmed.isEmpty ? [firstToken] : tokenizer.template.prefix
    let promptCount = max(1, beginning.count + (try tokenizer.encode(trimmed)).count)
    let sequences = try choices.map { beginning + (try tokenizer.encode(trimmed + spaces + $0)) }
    for (sequence, choice) in zip(sequences, choices) {
      guard sequence.count <= configuration.context + 1 else {
        throw GenerationError.promptTooLong(tokens: sequence.count, context: configuration.context)
      }
      guard sequence.count > promptCount else { throw GenerationError.noTokens(of: choice) }
    }
    var common = promptCount - 1
    for sequence in sequences { common = zip(sequence, sequences[0]).prefix(common).prefix { $0 == $1 }.count }
    let cache = makeCache(.float32)
    let start = cache.add()
    if common > 0 { _ = read([(start, Array(sequences[0][..<common]))], cache) }
    let parts = sequences.map { (sequence: cache.fork(start), tokens: Array($0[common..<$0.count - 1])) }
    let targets = sequences.flatMap { sequence in
      (common + 1..<sequence.count).map { $0 < promptCount ? TokenBatch.ignoredTarget : sequence[$0] }
    }
    let values = withoutGradient {
      logProbabilities(hidden: read(parts, cache), targets: Tensor(targets)).logProbabilities.array(of: Double.self)
    }
    guard !values.contains(where: \.isNaN) else {
      throw GenerationError.notFinite(tensor: firstNonFiniteParameter)
    }
    var row = 0
    return parts.map { part in
      defer { row += part.tokens.count }
      return values[row..<row + part.tokens.count].reduce(0, +)
    }
  }

  /// - Parameters:
  ///   - questions: answered one after the other.
  ///   - tokenizer: the model's.
  ///   - firstToken: begins each text, before the question.
  ///   - onQuestion: called after each question with the result so far.
  public func evaluate(
    _ questions: [ChoiceQuestion], tokenizer: any Tokenizer, firstToken: Int32,
    onQuestion: (ChoiceAccuracy) -> Void = { _ in }
  ) throws -> ChoiceAccuracy {
    var result = ChoiceAccuracy()
    for (index, question) in questions.enumerated() {
      let scores: [Double]
      do {
        scores = try logProbabilities(
          of: question.choices, after: question.prompt, tokenizer: tokenizer, firstToken: firstToken)
      } catch let error as GenerationError {
        if case .notFinite = error { throw error }
        throw ModelFolderError(file: question.place ?? "question \(index + 1)", problem: "\(error)")
      }
      let normalized = zip(scores, question.choices).map { $0 / Double($1.utf8.count) }
      func best(_ values: [Double]) -> Int { values.indices.max { values[$0] < values[$1] }! }
      result.questions += 1
      if best(scores) == question.answer { result.right += 1 }
      if best(normalized) == question.answer { result.rightNormalized += 1 }
      onQuestion(result)
    }
    return result
  }
}
