import NablaFormats
import NablaTemplates

/// Input or output of a model: plain text, or messages that a chat template formats as text.
public enum DatasetText: Sendable, Equatable {
  case plain(String)
  case conversation([ChatMessage])

  public var isConversation: Bool { if case .conversation = self { true } else { false } }

  /// Whether it is empty: no character, or no message with a character.
  public var isEmpty: Bool {
    switch self {
    case .plain(let text): text.isEmpty
    case .conversation(let messages): messages.allSatisfy { !$0.hasContent }
    }
  }
}

/// One example of a dataset.
public struct DatasetExample: Sendable, Equatable {
  /// The example in one of TRL's shapes.
  public enum Content: Sendable, Equatable {
    /// Text, all of which is learned.
    case text(String)
    /// A conversation in which the assistant's turns are learned.
    case messages([ChatMessage])
    case completion(prompt: DatasetText, completion: DatasetText)
    /// Two completions of one prompt, one chosen and one rejected.
    case preference(prompt: DatasetText, chosen: DatasetText, rejected: DatasetText)
    /// A prompt that the model will complete itself.
    case prompt(DatasetText)
  }

  public var content: Content
  /// The row's other columns, for reward functions.
  public var columns: JSONObject
  /// Functions that the model may call, from the column `tools`; they go to the chat template.
  public var tools: [JSONValue]?
  public var place: DatasetPlace

  public init(_ content: Content, columns: JSONObject = JSONObject(), tools: [JSONValue]? = nil, place: DatasetPlace) {
    (self.content, self.columns, self.tools, self.place) = (content, columns, tools, place)
  }

  public var shape: DatasetShape {
    switch content {
    case .text: .text
    case .messages: .messages
    case .completion: .promptCompletion
    case .preference: .preference
    case .prompt: .promptOnly
    }
  }

  /// Whether the example consists of messages, which requires a chat template.
  public var isConversational: Bool {
    switch content {
    case .text: false
    case .messages: true
    case .completion(let prompt, _), .preference(let prompt, _, _), .prompt(let prompt): prompt.isConversation
    }
  }
}

/// The shapes of a dataset, by the fields of an example.
public enum DatasetShape: String, Sendable, CaseIterable {
  case text
  case messages
  case promptCompletion = "prompt and completion"
  case preference
  case promptOnly = "prompt only"
}

extension ChatMessage {
  /// Whether the message has content: text, parts, or tool calls.
  var hasContent: Bool {
    switch json["content"] {
    case .string(let text)?: if !text.isEmpty { return true }
    case .array(let parts)?: if !parts.isEmpty { return true }
    default: break
    }
    return json["tool_calls"]?.array?.isEmpty == false
  }
}

extension DatasetExample.Content {
  /// The content as columns of TRL's shapes.
  public var json: JSONValue {
    func value(_ text: DatasetText) -> JSONValue {
      switch text {
      case .plain(let text): .string(text)
      case .conversation(let messages): .array(messages.map { .object($0.json) })
      }
    }
    return switch self {
    case .text(let text): .object(JSONObject([("text", .string(text))]))
    case .messages(let messages): .object(JSONObject([("messages", value(.conversation(messages)))]))
    case .completion(let prompt, let completion):
      .object(JSONObject([("prompt", value(prompt)), ("completion", value(completion))]))
    case .preference(let prompt, let chosen, let rejected):
      .object(JSONObject([("prompt", value(prompt)), ("chosen", value(chosen)), ("rejected", value(rejected))]))
    case .prompt(let prompt): .object(JSONObject([("prompt", value(prompt))]))
    }
  }
}
