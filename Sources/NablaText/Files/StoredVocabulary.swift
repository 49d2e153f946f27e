import NablaFormats

/// The `vocab` of a model: `{"token": id, …}`, or the list `[["token", score], …]` of a unigram model, whose ids are
/// the indices in it.
struct StoredVocabulary {
  enum Form { case object, list }

  let form: Form
  /// By entry; -1 for an invalid id.
  let ids: [Int32]
  /// By entry, in the list form.
  let scores: [Double]
  /// The first entry of a list that is not a token and a score.
  let firstMalformed: Int?
  /// The tokens, concatenated.
  private let bytes: [UInt8]
  /// Where each token begins; one more than there are entries.
  private let starts: [Int32]

  init(_ reader: inout JSONReader) throws(JSONError) {
    var ids: [Int32] = []
    var scores: [Double] = []
    var firstMalformed: Int?
    var starts: [Int32] = [0]
    form = reader.nextKind == .object ? .object : .list
    let isObject = form == .object
    bytes = try reader.collectingBytes { (reader, output) throws(JSONError) in
      var count = 0
      if isObject { try reader.beginObject() } else { try reader.beginArray() }
      while try isObject ? reader.hasMember() : reader.hasElement() {
        var id = ids.count
        if isObject {
          count += try reader.readString(to: output + count)
          try reader.readColon()
          id = try reader.readValue().integer ?? -1
        } else {
          let score = try Self.readPair(&reader, output, &count)
          if score == nil, firstMalformed == nil { firstMalformed = id }
          scores.append(score ?? 0)
        }
        ids.append((0..<TokenizerReader.identifierLimit).contains(id) ? Int32(id) : -1)
        starts.append(Int32(count))
      }
      return count
    }
    (self.ids, self.scores, self.firstMalformed, self.starts) = (ids, scores, firstMalformed, starts)
  }

  /// Reads an entry of the list, writes its token and returns its score; nil when it has another form.
  private static func readPair(
    _ reader: inout JSONReader, _ output: UnsafeMutablePointer<UInt8>, _ count: inout Int
  ) throws(JSONError) -> Double? {
    guard reader.nextKind == .array else {
      _ = try reader.readValue()
      return nil
    }
    try reader.beginArray()
    var score: Double?
    var isPair = false
    var place = 0
    while try reader.hasElement() {
      if place == 0, reader.nextKind == .string {
        count += try reader.readString(to: output + count)
        isPair = true
      } else {
        score = try reader.readValue().double
      }
      place += 1
    }
    return isPair && place == 2 ? score : nil
  }

  /// How many entries there are.
  var count: Int { ids.count }

  func token(_ entry: Int) -> ArraySlice<UInt8> { bytes[Int(starts[entry])..<Int(starts[entry + 1])] }

  /// The first entry with this token.
  func entry(of token: some Sequence<UInt8>) -> Int? {
    let token = Array(token)
    return (0..<count).first { Int(starts[$0 + 1] - starts[$0]) == token.count && self.token($0).elementsEqual(token) }
  }

  /// Runs `body` with a function that returns the token of an entry, without the cost of an array slice.
  func withTokens<Result>(
    _ body: (_ token: (Int) -> UnsafeBufferPointer<UInt8>) throws -> Result
  ) rethrows -> Result {
    try bytes.withUnsafeBufferPointer { bytes in
      try body { UnsafeBufferPointer(rebasing: bytes[Int(starts[$0])..<Int(starts[$0 + 1])]) }
    }
  }
}
