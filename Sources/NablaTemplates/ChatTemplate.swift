import Glibc
import NablaFormats

/// Formats a conversation as the text a chat model was trained on.
///
/// ```swift
/// let template = try ChatTemplate(source)
/// let prompt = try template.render(
///   [ChatMessage(role: "user", content: "Hello!")], specialTokens: ["eos_token": "<|im_end|>"])
/// ```
///
/// Chat models come with a template in the Jinja language, written for Python's library of that name as configured by
/// `transformers`. This engine implements the part of the language that such templates use, with the same output byte
/// for byte, and rejects everything else by name: a prompt that is almost right silently makes a model worse.
///
/// A template is untrusted data. It can compute only on its inputs, and its work, depth and output
/// are bounded.
public struct ChatTemplate: Sendable {
  /// The text of the template.
  public let source: String
  private let statements: [TemplateStatement]

  /// - Throws: ``ChatTemplateError`` with the line of the error or the unsupported construct.
  public init(_ source: String) throws(ChatTemplateError) {
    self.source = source
    statements = try TemplateParser.statements(of: source)
  }

  /// A conversation as text.
  public struct Rendering: Sendable, Equatable {
    public var text: String
    /// The assistant's spans, as marked by the template (`{% generation %}`), in bytes of UTF-8; empty if
    /// the template marks nothing.
    public var generated: [Range<Int>]
  }

  /// The text of a conversation.
  ///
  /// - Parameters:
  ///   - messages: In order.
  ///   - specialTokens: The text of special tokens by role, such as `["bos_token": "<s>"]`.
  ///   - addGenerationPrompt: Whether the text ends with the generation prompt, for a model to continue.
  ///   - tools: Descriptions of functions that the model may call, as JSON schemas.
  ///   - extra: Additional variables for the template, such as `enable_thinking`.
  ///   - date: Seconds since 1970 that `strftime_now` shows in local time; nil for now.
  /// - Throws: ``ChatTemplateError``.
  public func render(
    _ messages: [ChatMessage], specialTokens: [String: String] = [:], addGenerationPrompt: Bool = true,
    tools: [JSONValue]? = nil, extra: JSONObject = JSONObject(), date: Int? = nil
  ) throws(ChatTemplateError) -> String {
    try rendering(
      messages, specialTokens: specialTokens, addGenerationPrompt: addGenerationPrompt, tools: tools, extra: extra,
      date: date
    ).text
  }

  /// As ``render(_:specialTokens:addGenerationPrompt:tools:extra:date:)``, with the assistant's spans.
  public func rendering(
    _ messages: [ChatMessage], specialTokens: [String: String] = [:], addGenerationPrompt: Bool = true,
    tools: [JSONValue]? = nil, extra: JSONObject = JSONObject(), date: Int? = nil
  ) throws(ChatTemplateError) -> Rendering {
    var variables: [String: TemplateValue] = specialTokens.mapValues { .text($0) }
    // transformers always passes these two, as none if they are not given.
    variables["documents"] = TemplateValue.none
    variables["tools"] = try TemplateValue(tools.map(JSONValue.array) ?? JSONValue.null)
    variables["add_generation_prompt"] = .bool(addGenerationPrompt)
    for member in extra.members { variables[member.key] = try TemplateValue(member.value) }
    variables["messages"] = try TemplateValue(.array(messages.map { .object(Self.withReasoning($0.json)) }))
    let seconds = date ?? time(nil)
    let renderer = TemplateRenderer(variables: variables) { formatted(seconds, as: $0) }
    let bytes = try renderer.render(statements)
    return Rendering(text: String(decoding: bytes, as: UTF8.self), generated: renderer.generated)
  }

  /// Templates read a message's reasoning under different names; `transformers` gives it under each.
  private static func withReasoning(_ message: JSONObject) -> JSONObject {
    let names = ["reasoning_content", "thinking", "reasoning"]
    let values = names.lazy.compactMap { message[$0] }.filter { $0 != .null }
    guard let reasoning = values.first else { return message }
    var result = JSONObject([("thinking", reasoning)])
    for member in message.members { result[member.key] = member.value }
    result["reasoning_content"] = reasoning
    return result
  }
}

/// The local time as `strftime` writes it.
private func formatted(_ seconds: Int, as format: String) -> String {
  if format.isEmpty { return "" }
  var moment = time_t(seconds)
  var parts = tm()
  localtime_r(&moment, &parts)
  var buffer = [UInt8](repeating: 0, count: format.utf8.count * 16 + 256)
  let count = buffer.withUnsafeMutableBytes { bytes in
    strftime(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count, format, &parts)
  }
  return String(decoding: buffer[..<count], as: UTF8.self)
}
