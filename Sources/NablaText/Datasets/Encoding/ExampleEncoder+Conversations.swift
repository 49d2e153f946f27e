import NablaFormats
import NablaTemplates

/// Conversations as tokens, in which the assistant's turns are learned.
extension ExampleEncoder {
  /// - Parameters:
  ///   - prompt: Messages of the prompt; empty for a chat in which every assistant turn is learned.
  func encode(
    prompt: [ChatMessage], completion: [ChatMessage], _ example: DatasetExample
  ) throws -> EncodedExample {
    let whole = try render(prompt + completion, addGenerationPrompt: false, example)
    let bytes = Array(whole.text.utf8)
    let promptEnd = try self.promptEnd(prompt, completion, in: bytes, example)
    let said = whole.generated.isEmpty ? try turns(prompt, completion, in: bytes, example) : whole.generated
    let learned = said.compactMap { range in
      let start = max(range.lowerBound, promptEnd)
      return start < range.upperBound ? start..<range.upperBound : nil
    }
    return try encode(bytes, learned, promptEnd: promptEnd, example.place)
  }

  /// Encodes the parts of a text separately and concatenates them, so that no token crosses a boundary.
  private func encode(
    _ text: [UInt8], _ learned: [Range<Int>], promptEnd: Int, _ place: DatasetPlace
  ) throws -> EncodedExample {
    var ids: [Int32] = []
    var position = 0
    func append(upTo end: Int) throws {
      if end > position {
        let part = String(decoding: text[position..<end], as: UTF8.self)
        ids += try tokens(part, after: ids.last, place)
        position = end
      }
    }
    try append(upTo: promptEnd)
    let promptCount = ids.count
    var trained: [Range<Int>] = []
    for range in learned {
      try append(upTo: range.lowerBound)
      let start = max(ids.count, 1)
      try append(upTo: range.upperBound)
      let end = keepsTail ? ids.count : endOfTurn(in: ids, from: start)
      if start < end { trained.append(start..<end) }
    }
    try append(upTo: text.count)
    // Tokens after the last learned one do not affect the loss.
    if !keepsTail, let end = trained.last?.upperBound { ids.removeSubrange(end...) }
    return EncodedExample(tokens: ids, trained: trained, promptCount: promptCount, place: place)
  }

  /// The end of a turn that began at `start`: after its last end token if only whitespace follows.
  private func endOfTurn(in ids: [Int32], from start: Int) -> Int {
    guard start < ids.count, let last = ids[start...].lastIndex(where: endTokens.contains) else { return ids.count }
    let isBlank = ids[(last + 1)...].allSatisfy { id in
      !tokenizer.specialTokens.isControl(id) && tokenizer.bytes(of: id).allSatisfy { $0 <= 0x20 }
    }
    return isBlank ? last + 1 : ids.count
  }

  // MARK: Where the assistant speaks

  private func promptEnd(
    _ prompt: [ChatMessage], _ completion: [ChatMessage], in whole: [UInt8], _ example: DatasetExample
  ) throws -> Int {
    if prompt.isEmpty { return 0 }
    let isAnswer = completion.first?.role == "assistant"
    let given = Array(try render(prompt, addGenerationPrompt: isAnswer, example).text.utf8)
    if !whole.starts(with: given) {
      throw shifted(given, whole, "the prompt alone", example)
    }
    return given.count
  }

  /// What each assistant turn in `completion` adds to the text, found by rendering the messages before it
  /// (with the generation prompt) and those up to it.
  private func turns(
    _ prompt: [ChatMessage], _ completion: [ChatMessage], in whole: [UInt8], _ example: DatasetExample
  ) throws -> [Range<Int>] {
    let messages = prompt + completion
    var turns: [Range<Int>] = []
    for index in prompt.count..<messages.count where messages[index].role == "assistant" {
      let isLast = index == messages.count - 1
      let before = Array(try render(Array(messages[..<index]), addGenerationPrompt: true, example).text.utf8)
      let after =
        isLast ? whole : Array(try render(Array(messages[...index]), addGenerationPrompt: false, example).text.utf8)
      if !whole.starts(with: after) {
        throw shifted(after, whole, "the conversation up to message \(index + 1)", example)
      }
      if !after.starts(with: before) {
        throw shifted(before, after, "the beginning of message \(index + 1)", example)
      }
      turns.append(before.count..<after.count)
    }
    return turns
  }

  private func shifted(
    _ part: [UInt8], _ whole: [UInt8], _ what: String, _ example: DatasetExample
  ) -> DatasetError {
    let common = zip(part, whole).prefix { $0 == $1 }.count
    func excerpt(_ bytes: [UInt8]) -> String {
      String(reflecting: String(decoding: bytes.dropFirst(common).prefix(40), as: UTF8.self))
    }
    return DatasetError(
      example.place,
      problem: "the chat template writes \(what) differently when more follows (\(excerpt(part)) becomes "
        + "\(excerpt(whole)) at byte \(common)), so the assistant's turns cannot be located; use a template that "
        + "marks it with {% generation %}")
  }

  func render(
    _ messages: [ChatMessage], addGenerationPrompt: Bool, _ example: DatasetExample
  ) throws(DatasetError) -> ChatTemplate.Rendering {
    guard let template else {
      throw DatasetError(
        example.place,
        problem: "the rows are messages, but \(pretrained.path) has no chat template; give one, or the one for "
          + "transcripts (\"Human:\" and \"Assistant:\")")
    }
    do throws(ChatTemplateError) {
      return try template.rendering(
        messages, specialTokens: pretrained.roles, addGenerationPrompt: addGenerationPrompt, tools: example.tools,
        extra: templateVariables, date: date)
    } catch {
      throw DatasetError(example.place, problem: "\(error)")
    }
  }
}
