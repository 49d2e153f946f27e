import NablaTemplates

/// The token that ends an assistant turn in a chat template: what the model was trained to write there, whatever else
/// its files name.
enum TurnEnd {
  /// Text that no template contains.
  private static let answer = "qzjx"

  /// - Parameter known: Tokens that end a text. A template that spells one of them, or writes a role's, ends turns with
  ///   what is known, and is not run.
  static func tokens(
    _ tokenizer: any Tokenizer, _ template: String?, _ roles: [String: String], known: Set<Int32>
  ) -> Set<Int32> {
    guard let template, !template.contains("eos_token"),
      !known.contains(where: { tokenizer.specialTokens.token($0).map { template.contains($0.content) } ?? false })
    else { return [] }
    let messages = [ChatMessage(role: "user", content: "a"), ChatMessage(role: "assistant", content: answer)]
    guard let text = try? ChatTemplate(template).render(messages, specialTokens: roles, addGenerationPrompt: false),
      let place = text.utf8.lastRange(of: answer.utf8)
    else { return [] }
    let rest = Array(text.utf8[place.upperBound...].drop { $0 == 0x20 || $0 == 0x0A })
    // The longest that begins there, as in text.
    let ends = tokenizer.specialTokens.filter { $0.isControl && rest.starts(with: $0.content.utf8) }
    return ends.max { $0.content.utf8.count < $1.content.utf8.count }.map { [$0.id] } ?? []
  }
}

extension BidirectionalCollection where Element: Equatable {
  fileprivate func lastRange(of part: some BidirectionalCollection<Element>) -> Range<Index>? {
    var end = endIndex
    while true {
      if let start = index(end, offsetBy: -part.count, limitedBy: startIndex), self[start..<end].elementsEqual(part) {
        return start..<end
      }
      guard end > startIndex else { return nil }
      end = index(before: end)
    }
  }
}
