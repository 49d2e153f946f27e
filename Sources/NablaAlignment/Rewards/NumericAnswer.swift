import NablaFormats

extension Reward {
  /// 1 if a completion's final number equals that of the row's reference answer, otherwise 0.
  ///
  /// The final number is the one after the last `####`, as in the answers of GSM8K (Cobbe et al. 2021); without a mark,
  /// the last of the text unless the mark is required. `1,000`, `$5.00`, `-3` and `1.5e3` are numbers.
  public static func numericAnswer(field: String = "answer", requiringMark: Bool = false) -> Reward {
    var reward = Reward("numeric") { sample in
      let expected = try referenceNumber(of: sample.row, field: field)
      guard let given = finalNumber(in: sample.completion, requiringMark: requiringMark) else { return 0 }
      return given == expected ? 1 : 0
    }
    reward.checkRow = { _ = try referenceNumber(of: $0, field: field) }
    return reward
  }
}

/// The number in a row's field: a JSON number, or the final number of a text.
private func referenceNumber(of row: JSONObject, field: String) throws(RewardError) -> Double {
  if let number = row[field]?.double { return number }
  guard let answer = row[field]?.string else {
    throw .missingField(reward: "numeric", field: field, fields: row.keys)
  }
  guard let number = finalNumber(in: answer, requiringMark: false) else {
    throw .unreadableAnswer(reward: "numeric", answer: answer)
  }
  return number
}

/// The first number after the last `####`; without a mark the last number of the text, or nil if one is required.
func finalNumber(in text: String, requiringMark: Bool) -> Double? {
  let bytes = Array(text.utf8)
  let mark = [UInt8](repeating: UInt8(ascii: "#"), count: 4)
  if bytes.count >= 4, let start = (0...bytes.count - 4).last(where: { bytes[$0..<$0 + 4].elementsEqual(mark) }) {
    return numbers(in: bytes[(start + 4)...], limit: 1).first
  }
  return requiringMark ? nil : numbers(in: bytes[...]).last
}

/// The decimal numbers of a text: digits, with commas between groups of three, one point and an exponent, and a sign
/// that follows neither a digit nor a letter.
private func numbers(in bytes: ArraySlice<UInt8>, limit: Int = .max) -> [Double] {
  func isDigit(_ i: Int) -> Bool { i < bytes.endIndex && i >= bytes.startIndex && bytes[i] &- 48 < 10 }
  func isGroup(_ i: Int) -> Bool { isDigit(i) && isDigit(i + 1) && isDigit(i + 2) && !isDigit(i + 3) }
  /// The end of the exponent at i: e, a sign or none, and digits before something other than a letter; i for none.
  func exponentEnd(_ i: Int) -> Int {
    guard i < bytes.endIndex, bytes[i] | 32 == UInt8(ascii: "e") else { return i }
    var end = i + 1
    if end < bytes.endIndex, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[end]) { end += 1 }
    guard isDigit(end) else { return i }
    while isDigit(end) { end += 1 }
    return end < bytes.endIndex && (bytes[end] | 32) &- 97 < 26 ? i : end
  }
  var found: [Double] = []
  var i = bytes.startIndex
  while i < bytes.endIndex && found.count < limit {
    guard isDigit(i) else {
      i += 1
      continue
    }
    var before = i - 1
    if before >= bytes.startIndex && bytes[before] == UInt8(ascii: "$") { before -= 1 }
    let isNegative =
      before >= bytes.startIndex && bytes[before] == UInt8(ascii: "-")
      && (before == bytes.startIndex || !isWordByte(bytes[before - 1]))
    var digits: [UInt8] = []
    while isDigit(i) || (i < bytes.endIndex && bytes[i] == UInt8(ascii: ",") && isGroup(i + 1)) {
      if isDigit(i) { digits.append(bytes[i]) }
      i += 1
    }
    if i < bytes.endIndex && bytes[i] == UInt8(ascii: ".") && isDigit(i + 1) {
      digits.append(bytes[i])
      i += 1
      while isDigit(i) {
        digits.append(bytes[i])
        i += 1
      }
    }
    let exponent = exponentEnd(i)
    digits += bytes[i..<exponent]
    i = exponent
    if let value = Double(String(decoding: digits, as: UTF8.self)) { found.append(isNegative ? -value : value) }
  }
  return found
}

private func isWordByte(_ byte: UInt8) -> Bool {
  byte &- 48 < 10 || (byte | 32) &- 97 < 26 || byte >= 128
}
