import NablaFormats
import NablaTemplates

/// Converts rows of one dataset to examples. The first row determines the columns that every row must have.
struct RowReader {
  /// The column layouts of an example.
  enum Form: CaseIterable {
    case explicitPreference, implicitPreference, promptCompletion, messages, text, mathProblem, prompt

    var columns: [String] {
      switch self {
      case .explicitPreference: ["prompt", "chosen", "rejected"]
      case .implicitPreference: ["chosen", "rejected"]
      case .promptCompletion: ["prompt", "completion"]
      case .messages: ["messages"]
      case .text: ["text"]
      case .mathProblem: ["question", "answer"]
      case .prompt: ["prompt"]
      }
    }

    /// The first form whose columns `row` has. Those with more to learn come first.
    init?(_ row: JSONObject) {
      let form = Self.allCases.first { form in
        form.columns.allSatisfy { row[$0] != nil }
          && (form != .mathProblem || row["answer"]?.string.flatMap(MathProblem.finalAnswer) != nil)
      }
      guard let form else { return nil }
      self = form
    }
  }

  private(set) var form: Form?
  private var isConversational = false
  private var firstPlace: DatasetPlace?

  mutating func example(_ row: JSONObject, place: DatasetPlace) throws -> DatasetExample {
    let form = try self.form ?? Self.form(of: row, place)
    try Self.check(row, has: form.columns, place, self.form == nil ? nil : firstPlace)
    var example = DatasetExample(try Self.content(row, form, place), place: place)
    if let tools = row["tools"], tools != .null { example.tools = try Self.tools(tools, place) }
    for member in row.members where !form.columns.contains(member.key) && member.key != "tools" {
      example.columns[member.key] = member.value
    }
    // Reward functions read the answer in the completion.
    if form == .mathProblem { example.columns["answer"] = row["answer"] }
    if self.form == nil {
      (self.form, firstPlace, isConversational) = (form, place, example.isConversational)
    } else if example.isConversational != isConversational {
      throw DatasetError(
        place, column: form.columns.last,
        problem: "\(example.isConversational ? "messages" : "plain text"), while \(firstPlace!) has "
          + "\(isConversational ? "messages" : "plain text"); all rows must be of the same kind")
    }
    return example
  }

  // MARK: Columns

  private static func form(of row: JSONObject, _ place: DatasetPlace) throws(DatasetError) -> Form {
    if let form = Form(row) { return form }
    // One column of a pair is enough to recognize the intent.
    for (known, form) in [("chosen", Form.implicitPreference), ("rejected", .implicitPreference)]
    where row[known] != nil {
      try check(row, has: form.columns, place, nil)
    }
    if row.count == 0 { throw DatasetError(place, problem: "the row has no columns") }
    if row["question"] != nil, row["answer"]?.string != nil {
      throw DatasetError(place, column: "answer", problem: "expected \"####\" and the final answer at its end")
    }
    let expected = Form.allCases.map { $0.columns.joined(separator: " + ") }.joined(separator: "; ")
    let known = Array(Set(Form.allCases.flatMap(\.columns))).sorted()
    let hints = row.keys.compactMap { key in
      let nearest = nearestName(to: key, among: known)
      return row[nearest] == nil && editDistance(key.lowercased(), nearest) <= 2
        ? "\"\(nearest)\" instead of \"\(key)\"" : nil
    }
    throw DatasetError(
      place,
      problem: "no known shape has the columns \(row.keys.joined(separator: ", ")); expected one of: \(expected)"
        + (hints.isEmpty ? "" : "; did you mean \(hints.joined(separator: ", "))?"))
  }

  private static func check(
    _ row: JSONObject, has columns: [String], _ place: DatasetPlace, _ first: DatasetPlace?
  ) throws(DatasetError) {
    for column in columns where row[column] == nil {
      let others = row.keys.filter { !columns.contains($0) }
      let nearest = others.isEmpty ? nil : nearestName(to: column, among: others)
      throw DatasetError(
        place, column: column,
        problem: "missing" + (first.map { ", while \($0) has it" } ?? "")
          + (nearest.map { "; the nearest name here is \"\($0)\"" }
            ?? "; the row has \(row.keys.map { "\"\($0)\"" }.joined(separator: ", "))"))
    }
  }

  // MARK: Values

  private static func content(
    _ row: JSONObject, _ form: Form, _ place: DatasetPlace
  ) throws(DatasetError) -> DatasetExample.Content {
    switch form {
    case .text: return .text(try string(row, "text", place))
    case .messages: return .messages(try messages(row["messages"]!, "messages", place))
    case .mathProblem:
      let (question, answer) = (try string(row, "question", place), try string(row, "answer", place))
      return .completion(
        prompt: .conversation([ChatMessage(role: "user", content: question)]),
        completion: .conversation([ChatMessage(role: "assistant", content: answer)]))
    case .prompt: return .prompt(try prompt(row, place))
    case .promptCompletion:
      let prompt = try prompt(row, place)
      return .completion(
        prompt: prompt, completion: try completion(row, "completion", of: prompt, place))
    case .explicitPreference where isWholeConversation(row["chosen"]) && isWholeConversation(row["rejected"]):
      return try implicitPreference(row, place)
    case .explicitPreference:
      let prompt = try prompt(row, place)
      return .preference(
        prompt: prompt, chosen: try completion(row, "chosen", of: prompt, place),
        rejected: try completion(row, "rejected", of: prompt, place))
    case .implicitPreference: return try implicitPreference(row, place)
    }
  }

  /// Messages that begin with the prompt, which the UltraFeedback dataset also has in its own column.
  private static func isWholeConversation(_ value: JSONValue?) -> Bool {
    guard let messages = value?.array, messages.count > 1, let role = messages[0]["role"]?.string else { return false }
    return role != "assistant"
  }

  private static func implicitPreference(
    _ row: JSONObject, _ place: DatasetPlace
  ) throws(DatasetError) -> DatasetExample.Content {
    let chosen = try text(row, "chosen", place)
    let rejected = try text(row, "rejected", place)
    guard let (prompt, first, second) = CommonPrompt.split(chosen, rejected) else {
      throw DatasetError(
        place, column: "rejected",
        problem: "it has no common prefix with \"chosen\" to use as the prompt; add a column \"prompt\"")
    }
    return .preference(prompt: prompt, chosen: first, rejected: second)
  }

  private static func string(
    _ row: JSONObject, _ column: String, _ place: DatasetPlace
  ) throws(DatasetError) -> String {
    guard let string = row[column]!.string else {
      throw DatasetError(place, column: column, problem: "expected text, found \(kind(row[column]!))")
    }
    return string
  }

  private static func messages(
    _ value: JSONValue, _ column: String, _ place: DatasetPlace
  ) throws(DatasetError) -> [ChatMessage] {
    guard value.array != nil else {
      throw DatasetError(place, column: column, problem: "expected a list of messages, found \(kind(value))")
    }
    do throws(ChatMessageError) {
      return try ChatMessage.list(value, name: "messages")
    } catch {
      let part = error.place == "messages" ? "" : error.place.replacingPrefix("messages: ", with: "") + ": "
      throw DatasetError(place, column: column, problem: part + error.problem)
    }
  }

  /// Plain text, a transcript, or messages.
  private static func text(
    _ row: JSONObject, _ column: String, _ place: DatasetPlace
  ) throws(DatasetError) -> DatasetText {
    switch row[column]! {
    case .string(let text): return Transcript.messages(text).map { .conversation($0) } ?? .plain(text)
    case .array: return .conversation(try messages(row[column]!, column, place))
    case let other:
      throw DatasetError(place, column: column, problem: "expected text or a list of messages, found \(kind(other))")
    }
  }

  /// A prompt: a transcript may end with the header of the answer, which the chat template writes itself.
  private static func prompt(_ row: JSONObject, _ place: DatasetPlace) throws(DatasetError) -> DatasetText {
    let prompt = try text(row, "prompt", place)
    guard row["prompt"]!.string != nil, case .conversation(let messages) = prompt,
      let last = messages.last, last.role == "assistant", !last.hasContent
    else { return prompt }
    return .conversation(messages.dropLast())
  }

  /// A completion in the same form as its prompt; plain text after a conversation is the assistant's turn.
  private static func completion(
    _ row: JSONObject, _ column: String, of prompt: DatasetText, _ place: DatasetPlace
  ) throws(DatasetError) -> DatasetText {
    switch (prompt, row[column]!) {
    case (.conversation, .string(let answer)):
      return .conversation([ChatMessage(role: "assistant", content: answer)])
    case (.plain, .string(let text)): return .plain(text)
    case (.conversation, .array): return .conversation(try messages(row[column]!, column, place))
    case (.plain, .array):
      throw DatasetError(
        place, column: column, problem: "messages after a plain-text prompt; use the same form for both")
    case (_, let other):
      throw DatasetError(place, column: column, problem: "expected text or a list of messages, found \(kind(other))")
    }
  }

  private static func tools(_ value: JSONValue, _ place: DatasetPlace) throws(DatasetError) -> [JSONValue] {
    if let tools = value.array { return tools }
    // Tables that cannot hold nested values store it as JSON text.
    if let text = value.string, let tools = (try? JSONValue(parsing: text))?.array { return tools }
    throw DatasetError(place, column: "tools", problem: "expected a list of functions")
  }

  private static func kind(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .number: "a number"
    case .string: "text"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

extension String {
  fileprivate func replacingPrefix(_ prefix: String, with other: String) -> String {
    hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
  }
}
