import NablaFormats
import NablaTemplates

/// Goes through the examples of a dataset and collects the findings of the audit.
struct ExampleChecks {
  private let encoder: ExampleEncoder
  private let endTokens: Set<Int32>
  private let beginning: Int32?
  private var firstPlaces: [String: DatasetPlace] = [:]
  private(set) var lengths: [Int] = []
  private(set) var trainedLengths: [Int] = []
  private(set) var truncatedCount = 0
  private(set) var droppedCount = 0
  private(set) var samples: [DatasetAudit.Sample] = []
  private(set) var findings: [DatasetAudit.Kind: DatasetAudit.Finding] = [:]

  init(_ encoder: ExampleEncoder) {
    self.encoder = encoder
    endTokens = encoder.endTokens
    beginning = encoder.pretrained.id(of: "bos_token")
  }

  mutating func found(_ kind: DatasetAudit.Kind, _ place: DatasetPlace, _ message: String) {
    if findings[kind] == nil { findings[kind] = .init(kind: kind, count: 0, places: [], message: message) }
    findings[kind]!.count += 1
    if findings[kind]!.places.count < DatasetAudit.placesShown { findings[kind]!.places.append(place) }
  }

  mutating func check(_ example: DatasetExample) {
    checkContent(example)
    do {
      switch example.content {
      case .prompt:
        let tokens = try encoder.encodePrompt(example)
        lengths.append(tokens.count)
        let prompt = EncodedExample(tokens: tokens, trained: [], promptCount: tokens.count, place: example.place)
        checkBeginning(prompt, example.place)
        addSample(nil, prompt, example)
        if let maximum = encoder.maximumLength, tokens.count > maximum { droppedCount += 1 }
      case .preference:
        let pair = try encoder.encodePair(example)
        check(pair.chosen, example)
        check(pair.rejected, example)
        if samples.isEmpty {
          addSample("chosen", pair.chosen, example)
          addSample("rejected", pair.rejected, example)
        }
        guard let fitted = encoder.fitted(pair) else { return droppedCount += 1 }
        if fitted.chosen.isTruncated || fitted.rejected.isTruncated { truncatedCount += 1 }
      default:
        let whole = try encoder.encode(example)
        check(whole, example)
        addSample(nil, whole, example)
        guard let fitted = encoder.fitted(whole) else { return droppedCount += 1 }
        if fitted.isTruncated { truncatedCount += 1 }
      }
      for messages in Self.conversations(example) { try checkMessages(messages, example) }
    } catch let error as DatasetError {
      found(.cannotEncode, example.place, error.problem)
    } catch {
      found(.cannotEncode, example.place, "\(error)")
    }
  }

  // MARK: Tokens

  private mutating func check(_ encoded: EncodedExample, _ example: DatasetExample) {
    lengths.append(encoded.tokens.count)
    trainedLengths.append(encoded.trainedCount)
    checkBeginning(encoded, example.place)
    if encoded.trained.isEmpty {
      found(.nothingToLearn, example.place, "no text or assistant turn is left to learn from")
    }
    // Templates may end turns with a control token that no file names as an end token: often <|im_end|>.
    func isEnd(_ token: Int32) -> Bool {
      endTokens.contains(token) || encoder.tokenizer.specialTokens.contains(token)
    }
    for range in encoded.trained where !encoded.tokens[range].contains(where: isEnd) {
      let end = encoder.endOfText.map { "\"\(encoder.tokenizer.piece($0))\"" }
      found(
        .endNotLearned, example.place,
        end.map {
          "no end token (\($0)) is learned after an answer, so the model would never learn to stop; use a "
            + "template that writes it after each answer, inside {% generation %} if it has such marks"
        } ?? "the model has no end-of-text token, so it would never learn to stop; use a tokenizer that has one")
      break
    }
  }

  private mutating func checkBeginning(_ encoded: EncodedExample, _ place: DatasetPlace) {
    guard let beginning, encoded.tokens.count > 1, encoded.tokens[0] == beginning, encoded.tokens[1] == beginning
    else { return }
    found(
      .doubledBeginning, place,
      "the text begins with \"\(encoder.tokenizer.piece(beginning))\" twice; remove it from the data or the template")
  }

  private mutating func addSample(_ name: String?, _ encoded: EncodedExample, _ example: DatasetExample) {
    if samples.count >= (name == nil ? 1 : 2) { return }
    var parts: [DatasetAudit.Sample.Part] = []
    func append(_ range: Range<Int>, _ isTrained: Bool) {
      if range.isEmpty { return }
      var bytes: [UInt8] = []
      for index in range {
        encoder.tokenizer.appendText(of: encoded.tokens[index], isFirst: index == 0, to: &bytes)
      }
      parts.append(.init(text: String(decoding: bytes, as: UTF8.self), isTrained: isTrained, tokenCount: range.count))
    }
    var end = 0
    for range in encoded.trained {
      append(end..<range.lowerBound, false)
      append(range, true)
      end = range.upperBound
    }
    append(end..<encoded.tokens.count, false)
    samples.append(.init(name: name, place: example.place, parts: parts))
  }

  // MARK: Text

  private mutating func checkContent(_ example: DatasetExample) {
    let place = example.place
    let text = example.content.json.serialized()
    if let first = firstPlaces[text] {
      found(.duplicate, place, "the same as \(first)")
    } else {
      firstPlaces[text] = place
    }
    switch example.content {
    case .text, .messages: break
    case .prompt(let prompt): checkEmpty(prompt, .emptyPrompt, "prompt", place)
    case .completion(let prompt, let completion):
      checkEmpty(prompt, .emptyPrompt, "prompt", place)
      checkEmpty(completion, .emptyCompletion, "completion", place)
    case .preference(let prompt, let chosen, let rejected):
      checkEmpty(prompt, .emptyPrompt, "prompt", place)
      checkEmpty(chosen, .emptyCompletion, "chosen", place)
      checkEmpty(rejected, .emptyCompletion, "rejected", place)
      if chosen == rejected { found(.equalPair, place, "a pair of equal completions teaches nothing") }
    }
  }

  private mutating func checkEmpty(
    _ text: DatasetText, _ kind: DatasetAudit.Kind, _ column: String, _ place: DatasetPlace
  ) {
    if text.isEmpty { found(kind, place, "\"\(column)\" has no text") }
  }

  /// Every conversation that is encoded for an example.
  private static func conversations(_ example: DatasetExample) -> [[ChatMessage]] {
    func joined(_ prompt: DatasetText, _ completion: DatasetText) -> [ChatMessage] {
      guard case .conversation(let start) = prompt, case .conversation(let rest) = completion else { return [] }
      return start + rest
    }
    let all: [[ChatMessage]] =
      switch example.content {
      case .text: []
      case .messages(let messages): [messages]
      case .completion(let prompt, let completion): [joined(prompt, completion)]
      case .preference(let prompt, let chosen, let rejected): [joined(prompt, chosen), joined(prompt, rejected)]
      case .prompt(let prompt): [joined(prompt, .conversation([]))]
      }
    return all.filter { !$0.isEmpty }
  }

  private mutating func checkMessages(_ messages: [ChatMessage], _ example: DatasetExample) throws {
    let text = Array(try encoder.render(messages, addGenerationPrompt: false, example).text.utf8)
    for (index, message) in messages.enumerated() {
      if case .messages = example.content, !message.hasContent {
        found(.emptyMessage, example.place, "message \(index + 1) (\(message.role)) has no text")
      }
      let said = Self.answer(message.content)
      if !said.isEmpty, UTF8Text.firstIndex(of: said, in: text) == nil {
        found(
          .messageLeftOut, example.place,
          "the chat template drops or changes message \(index + 1) (\(message.role)); use another "
            + "template, or move the text into a role that it writes")
      }
      if message.content.utf8.contains(UInt8(ascii: "<")) || message.content.utf8.contains(UInt8(ascii: "[")) {
        let ids = try encoder.tokens(message.content, example.place)
        if let id = ids.first(where: encoder.tokenizer.specialTokens.isControl) {
          found(
            .controlTokenInText, example.place,
            "message \(index + 1) (\(message.role)) contains \"\(encoder.tokenizer.piece(id))\", which becomes that token"
          )
        }
      }
    }
  }

  /// What a template must write of a message: without surrounding whitespace, and without reasoning before an
  /// answer, which templates omit from earlier turns.
  private static func answer(_ content: String) -> [UInt8] {
    let parts = UTF8Text.split(Array(content.utf8), by: Array("</think>".utf8))
    return UTF8Text.stripped(parts.last ?? [], characters: nil, left: true, right: true)
  }
}
