import NablaFormats
import NablaTemplates

/// Conversations written as one text, as in Anthropic's HH data: `\n\nHuman: … \n\nAssistant: …`.
public enum Transcript {
  static let markers: [(marker: String, role: String)] = [("\n\nHuman:", "user"), ("\n\nAssistant:", "assistant")]

  /// A chat template in this format, with the end-of-text token after each answer: for models without one.
  public static let template = """
    {%- for message in messages -%}
    {%- if message.role == 'assistant' -%}
    {{ '\\n\\nAssistant:' }}{% generation %}{{ ' ' + message.content + eos_token }}{% endgeneration %}
    {%- elif message.role == 'user' -%}
    {{ '\\n\\nHuman: ' + message.content }}
    {%- else -%}
    {{ message.content }}
    {%- endif -%}
    {%- endfor -%}
    {%- if add_generation_prompt -%}{{ '\\n\\nAssistant:' }}{%- endif -%}
    """

  /// The messages of a transcript, without surrounding whitespace; nil when `text` does not begin like one.
  public static func messages(_ text: String) -> [ChatMessage]? {
    let bytes = Array(text.utf8)
    guard markers.contains(where: { bytes.starts(with: $0.marker.utf8) }) else { return nil }
    var turns: [(role: String, start: Int, end: Int)] = []
    var position = 0
    let newline = UInt8(ascii: "\n")
    while position < bytes.count {
      if bytes[position] == newline,
        let found = markers.first(where: { bytes[position...].starts(with: $0.marker.utf8) })
      {
        if !turns.isEmpty { turns[turns.count - 1].end = position }
        position += found.marker.utf8.count
        turns.append((found.role, position, bytes.count))
      } else {
        position += 1
      }
    }
    return turns.map { turn in
      let content = UTF8Text.stripped(
        Array(bytes[turn.start..<turn.end]), characters: nil, left: true, right: true)
      return ChatMessage(role: turn.role, content: String(decoding: content, as: UTF8.self))
    }
  }
}
