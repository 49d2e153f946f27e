import NablaFormats

/// WordPiece (Wu et al. 2016, arXiv:1609.08144), as in BERT: words are split at whitespace and punctuation, and each
/// becomes the longest token that begins it, then the longest that continues from there (written `##…`), and so on.
/// A word that cannot be encoded this way is one unknown token.
public struct WordPieceTokenizer: Tokenizer {
  public let specialTokens: SpecialTokens
  public let template: TokenTemplate
  public let vocabularySize: Int
  public let normalizer: Normalizer?
  /// A longer word, in characters, is unknown.
  public let longestWord: Int
  /// Whether decoding removes the spaces before punctuation and contractions.
  public let cleansUp: Bool
  let unknown: Int32
  let vocabulary: WordPieceVocabulary
  private let beginnings: ByteTrie
  private let continuations: ByteTrie

  /// How files mark a token that continues a word.
  static let mark = "##"

  init(
    vocabulary: WordPieceVocabulary, unknown: Int32, specialTokens: [SpecialToken], normalizer: Normalizer?,
    template: TokenTemplate = TokenTemplate(), longestWord: Int = 100, cleansUp: Bool = true
  ) {
    self.vocabulary = vocabulary
    self.unknown = unknown
    self.specialTokens = SpecialTokens(specialTokens, normalizer: normalizer)
    self.normalizer = normalizer
    self.template = template
    self.longestWord = longestWord
    self.cleansUp = cleansUp
    vocabularySize = max(vocabulary.count, Int(specialTokens.map(\.id).max() ?? -1) + 1)
    (beginnings, continuations) = vocabulary.tries()
  }

  public func encode(_ text: String, recognizingSpecialTokens: Bool) throws -> [Int32] {
    text.withUTF8Bytes { bytes in
      var ids: [Int32] = []
      specialTokens.walk(bytes, recognizing: recognizingSpecialTokens, normalizer: normalizer) { part, _ in
        Self.forEachWord(in: part) { encode(word: $0, into: &ids) }
      } special: {
        ids.append($0)
      }
      return ids
    }
  }

  /// Words between whitespace, with each punctuation mark as a separate word.
  static func forEachWord(in text: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    var start = 0
    var position = 0
    func end(at end: Int) { if end > start { body(UnsafeBufferPointer(rebasing: text[start..<end])) } }
    while position < text.count {
      let (found, length) = CharacterClassifier.classify(text, at: position)
      let isSpace = found == .space
      if isSpace || found == .other && isPunctuation(decodeScalar(text, at: position).scalar) {
        end(at: position)
        if !isSpace { body(UnsafeBufferPointer(rebasing: text[position..<(position + length)])) }
        start = position + length
      }
      position += length
    }
    end(at: text.count)
  }

  /// ASCII symbols, and the punctuation of Unicode.
  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case 0..<0x80: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    default: return false
    }
  }

  private func encode(word: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
    let characters = word.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    let before = ids.count
    var position = 0
    while position < word.count {
      let trie = position == 0 ? beginnings : continuations
      guard characters <= longestWord, let (length, id) = trie.longestPrefix(of: word, from: position) else {
        ids.removeLast(ids.count - before)
        ids.append(unknown)
        return
      }
      ids.append(id)
      position += length
    }
  }

  public func appendBytes(of id: Int32, to bytes: inout [UInt8]) {
    if let token = specialTokens.token(id) {
      bytes.append(contentsOf: token.content.utf8)
    } else if id >= 0, Int(id) < vocabulary.count {
      bytes.append(contentsOf: vocabulary.tokens[Int(id)])
    }
  }

  public func appendText(of id: Int32, isFirst: Bool, to bytes: inout [UInt8]) {
    var token = self.bytes(of: id)
    let isContinuation = id >= 0 && Int(id) < vocabulary.count && vocabulary.continues[Int(id)]
    if isFirst && isContinuation {
      token = Array(Self.mark.utf8) + token
    } else if !isFirst && !isContinuation {
      token.insert(UInt8(ascii: " "), at: 0)
    }
    bytes += cleansUp ? Self.cleaned(token) : token
  }

  private static let spaced: [([UInt8], [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.utf8), Array($1.utf8)) }

  private static func cleaned(_ token: [UInt8]) -> [UInt8] {
    if token.first != UInt8(ascii: " ") { return token }
    return spaced.reduce(token) { UTF8Text.replacing($0, $1.0, with: $1.1) }
  }
}
