import NablaFormats

/// One message of a conversation.
///
/// ```swift
/// let messages = [ChatMessage(role: "system", content: "Be brief."), ChatMessage(role: "user", content: "Hello!")]
/// ```
public struct ChatMessage: Sendable, Equatable {
  /// The message in the format of Hugging Face and OpenAI: `role`, `content`, and other fields that the template reads,
  /// such as `tool_calls`, `tool_call_id`, `name` and `reasoning_content`.
  public let json: JSONObject

  /// - Parameters:
  ///   - role: `system`, `user`, `assistant` or `tool`, as the template knows them.
  ///   - content: The text.
  ///   - fields: Additional fields, such as `tool_calls`.
  public init(role: String, content: String, fields: JSONObject = JSONObject()) {
    var json = JSONObject([("role", .string(role)), ("content", .string(content))])
    for member in fields.members { json[member.key] = member.value }
    self.json = json
  }

  /// A message from its JSON object.
  ///
  /// `content` may be text, null or absent (a message that only calls tools), or a list of parts.
  /// - Parameters:
  ///   - value: An object with `role` and `content`.
  ///   - place: The name of the value in errors, such as `messages.json: message 3`.
  /// - Throws: ``ChatMessageError`` naming `place` and the field.
  public init(_ value: JSONValue, place: String) throws(ChatMessageError) {
    guard let object = value.object else { throw ChatMessageError(place: place, problem: "expected a JSON object") }
    guard let role = object["role"]?.string, !role.isEmpty else {
      throw ChatMessageError(place: place, problem: "expected a \"role\", such as \"user\"")
    }
    switch object["content"] {
    case nil, .null, .string, .array: break
    default: throw ChatMessageError(place: place, problem: "\"content\" must be text, a list of parts, or null")
    }
    json = object
  }

  public var role: String { json["role"]?.string ?? "" }
  /// The text of the message; empty when it has none or is made of parts.
  public var content: String { json["content"]?.string ?? "" }

  /// The messages of a JSON array, or of an object that has one as `messages`.
  ///
  /// - Parameters:
  ///   - value: The array, or the object.
  ///   - name: The name of the value in errors: a file, or a line of one.
  public static func list(_ value: JSONValue, name: String) throws(ChatMessageError) -> [ChatMessage] {
    guard let array = value.array ?? value["messages"]?.array else {
      throw ChatMessageError(
        place: name, problem: #"expected a list of messages: [{"role": "user", "content": "..."}]"#)
    }
    if array.isEmpty { throw ChatMessageError(place: name, problem: "the list of messages is empty") }
    var messages: [ChatMessage] = []
    for (index, element) in array.enumerated() {
      messages.append(try ChatMessage(element, place: "\(name): message \(index + 1)"))
    }
    return messages
  }
}

/// An error in a message from external input.
public struct ChatMessageError: Error, Equatable, CustomStringConvertible {
  public var place: String
  public var problem: String

  public init(place: String, problem: String) { (self.place, self.problem) = (place, problem) }

  public var description: String { "\(place): \(problem)" }
}
