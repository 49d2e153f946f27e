/// The tokens defined in the files next to a `tokenizer.json`: `tokenizer_config.json`, `special_tokens_map.json` and
/// `added_tokens.json`. As in `transformers` they take precedence over `tokenizer.json`.
struct TokenizerAdditions {
  /// Tokens with their ids (`added_tokens_decoder`, or `added_tokens.json`).
  var tokens: [SpecialToken] = []
  /// Special tokens named without an id: those in a role, and additional ones.
  var named: [(content: String, matching: SpecialToken.Matching)] = []
  /// The source file of `tokens`, for errors.
  var file = ""

  /// The added tokens of `tokenizer.json` merged with these.
  ///
  /// - Throws: ``TokenizerError`` when the files give a token different ids, or one id to different tokens.
  func merged(into own: [SpecialToken], _ reader: TokenizerReader) throws -> [SpecialToken] {
    var added = own
    var places = Dictionary(
      own.enumerated().map { (Array($1.content.utf8), $0) }, uniquingKeysWith: { first, _ in first })
    var contents = Dictionary(own.map { ($0.id, $0.content) }, uniquingKeysWith: { first, _ in first })
    for token in tokens {
      if let place = places[Array(token.content.utf8)] {
        guard added[place].id == token.id else {
          throw reader.malformed(
            "added_tokens", "\(token.content) has the id \(added[place].id) here and \(token.id) in \(file)")
        }
        added[place] = token
        continue
      }
      if let other = contents[token.id] {
        throw reader.malformed("added_tokens", "the id \(token.id) is \(other) here and \(token.content) in \(file)")
      }
      places[Array(token.content.utf8)] = added.count
      contents[token.id] = token.content
      added.append(token)
    }
    for (content, matching) in named where places[Array(content.utf8)] == nil {
      // A token missing from the vocabulary has no row in the model's embedding either.
      guard let id = try reader.identifier(ofToken: content) else { continue }
      places[Array(content.utf8)] = added.count
      added.append(SpecialToken(content: content, id: id, matching: matching))
    }
    return added
  }
}
