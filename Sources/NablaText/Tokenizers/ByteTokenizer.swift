/// One token per byte: ids 0 to 255 are the bytes of UTF-8, special tokens follow from 256.
///
/// Needs no training and can express every text, at the price of sequences about four times as long as BPE's.
public struct ByteTokenizer: Tokenizer {
  public let specialTokens: SpecialTokens

  /// - Parameter specialTokens: Their texts, which get the ids 256, 257, …
  public init(specialTokens: [String] = [SpecialToken.endOfText]) {
    self.init(SpecialToken.numbered(specialTokens, from: 256))
  }

  package init(_ specialTokens: [SpecialToken]) {
    precondition(specialTokens.allSatisfy { $0.id >= 256 }, "ByteTokenizer: ids below 256 are the bytes")
    self.specialTokens = SpecialTokens(specialTokens)
  }

  public var vocabularySize: Int {
    Int(specialTokens.map(\.id).max() ?? 255) + 1
  }

  public func encode(_ text: String, recognizingSpecialTokens: Bool) -> [Int32] {
    text.withUTF8Bytes { bytes in
      var ids: [Int32] = []
      ids.reserveCapacity(bytes.count)
      specialTokens.split(
        bytes, recognizing: recognizingSpecialTokens,
        ordinary: { range in ids.append(contentsOf: bytes[range].lazy.map(Int32.init)) },
        special: { ids.append($0) })
      return ids
    }
  }

  public func appendBytes(of id: Int32, to bytes: inout [UInt8]) {
    if let byte = UInt8(exactly: id) {
      bytes.append(byte)
    } else if let token = specialTokens.token(id) {
      bytes.append(contentsOf: token.content.utf8)
    }
  }
}
