import NablaFormats

/// The merges of a model as in its files, in flat arrays: a list of tokens, two per merge.
///
/// `tokenizer.json` has `["a", "b"]` each or, in older files, `"a b"`, as GGUF has.
struct StoredMerges {
  /// The tokens, concatenated, so that the two of a merge form its result.
  let bytes: [UInt8]
  /// Where each token ends.
  let ends: [Int32]
  /// The first merge that does not consist of two tokens.
  let firstMalformed: Int?

  var count: Int { ends.count / 2 }

  func start(_ rank: Int) -> Int { rank == 0 ? 0 : Int(ends[2 * rank - 1]) }

  func left(_ rank: Int) -> ArraySlice<UInt8> { bytes[start(rank)..<Int(ends[2 * rank])] }

  func right(_ rank: Int) -> ArraySlice<UInt8> { bytes[Int(ends[2 * rank])..<Int(ends[2 * rank + 1])] }

  /// Reads the list in `tokenizer.json`.
  init(_ reader: inout JSONReader) throws(JSONError) {
    var ends: [Int32] = []
    var firstMalformed: Int?
    bytes = try reader.collectingBytes { (reader, output) throws(JSONError) in
      var count = 0
      try reader.beginArray()
      while try reader.hasElement() {
        let start = count
        var middle: Int?
        switch reader.nextKind {
        case .string:
          count += try reader.readString(to: output + start)
          middle = Self.takeSeparator(UnsafeMutableBufferPointer(start: output + start, count: count - start))
          if middle != nil { count -= 1 }
        case .array: middle = try Self.readPair(&reader, output + start, &count)
        case .object, .other: _ = try reader.readValue()
        }
        if middle == nil, firstMalformed == nil { firstMalformed = ends.count / 2 }
        ends.append(Int32(start + (middle ?? 0)))
        ends.append(Int32(count))
      }
      return count
    }
    (self.ends, self.firstMalformed) = (ends, firstMalformed)
  }

  /// Reads the two strings of a pair, and returns the length of the first; nil when it has another form.
  private static func readPair(
    _ reader: inout JSONReader, _ output: UnsafeMutablePointer<UInt8>, _ count: inout Int
  ) throws(JSONError) -> Int? {
    try reader.beginArray()
    var written = 0
    var middle: Int?
    var isPair = true
    var place = 0
    while try reader.hasElement() {
      if place == 1 { middle = written }
      if reader.nextKind == .string {
        written += try reader.readString(to: output + written)
      } else {
        _ = try reader.readValue()
        isPair = false
      }
      place += 1
    }
    count += written
    return isPair && place == 2 ? middle : nil
  }

  /// The lines of a GGUF file.
  init(_ lines: GGUFArray) {
    var ends: [Int32] = []
    ends.reserveCapacity(2 * lines.count)
    var firstMalformed: Int?
    bytes = [UInt8](unsafeUninitializedCapacity: lines.bytes.count) { output, count in
      lines.withUTF8 { line in
        let place = UnsafeMutableBufferPointer(rebasing: output[count...].prefix(line.count))
        _ = place.initialize(from: line)
        let middle = Self.takeSeparator(place)
        if middle == nil, firstMalformed == nil { firstMalformed = ends.count / 2 }
        ends.append(Int32(count + (middle ?? 0)))
        count += line.count - (middle == nil ? 0 : 1)
        ends.append(Int32(count))
      }
    }
    (self.ends, self.firstMalformed) = (ends, firstMalformed)
  }

  /// Removes the one space that separates the tokens of a line, and returns its position; nil when the line has
  /// another form.
  private static func takeSeparator(_ line: UnsafeMutableBufferPointer<UInt8>) -> Int? {
    // The first character is never the separator: old files have a token that is a space by itself.
    var space: Int?
    var place = 1
    while place < line.count {
      if line[place] == UInt8(ascii: " ") {
        if space != nil { return nil }
        space = place
      }
      place &+= 1
    }
    guard let space, space + 1 < line.count else { return nil }
    for place in space..<(line.count - 1) { line[place] = line[place + 1] }
    return space
  }
}

extension StoredMerges {
  private init(bytes: [UInt8], ends: [Int32]) { (self.bytes, self.ends, firstMalformed) = (bytes, ends, nil) }

  /// The merges as bytes, decoded from ``ByteLevelAlphabet``; nil when a character is not in it.
  ///
  /// - Parameter rank: Set to the first merge with such a character.
  func decoded(firstMalformed rank: inout Int?) -> StoredMerges {
    var ends = ends
    let decoded = [UInt8](unsafeUninitializedCapacity: bytes.count) { output, count in
      bytes.withUnsafeBufferPointer { bytes in
        var start = 0
        for token in ends.indices {
          let spelling = UnsafeBufferPointer(rebasing: bytes[start..<Int(ends[token])])
          start = Int(ends[token])
          let length = ByteLevelAlphabet.decode(spelling, to: output.baseAddress! + count)
          if length == nil || length == 0, rank == nil { rank = token / 2 }
          count += length ?? 0
          ends[token] = Int32(count)
        }
      }
    }
    return StoredMerges(bytes: decoded, ends: ends)
  }
}
