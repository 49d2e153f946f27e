/// What the page asks, as it stands in an address: `text=The%20cat&layer=3`. Every value is read within a range; one that
/// is outside of it, or no number at all, is an error that names the field and the range, and nothing is computed.
///
/// ```swift
/// let layer = try query.integer("layer", in: 0...29, default: 0)
/// ```
public struct StudioQuery: Sendable {
  private let fields: [String: String]

  public init(_ fields: [String: String] = [:]) { self.fields = fields }

  /// - Parameter text: The part of an address after "?"; a field that is there twice has its last value.
  public init(parsing text: String) throws(StudioError) {
    var fields: [String: String] = [:]
    for part in text.split(separator: "&") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      fields[try Self.decoded(pair[0])] = pair.count == 2 ? try Self.decoded(pair[1]) : ""
    }
    self.fields = fields
  }

  /// The whole number of this name.
  public func integer(_ name: String, in range: ClosedRange<Int>, default value: Int) throws(StudioError) -> Int {
    guard let text = fields[name] else { return value }
    guard let number = Int(text), range.contains(number) else {
      throw StudioError("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)", given: text)
    }
    return number
  }

  /// The number of this name; never infinite or not a number.
  public func number(_ name: String, in range: ClosedRange<Double>, default value: Double) throws(StudioError) -> Double
  {
    guard let text = fields[name] else { return value }
    guard let number = Double(text), range.contains(number) else {
      throw StudioError("\(name) must be a number from \(range.lowerBound) to \(range.upperBound)", given: text)
    }
    return number
  }

  /// Numbers with commas between them, at most `count`.
  public func numbers(
    _ name: String, in range: ClosedRange<Double>, atMost count: Int, default value: [Double]
  ) throws(StudioError) -> [Double] {
    guard let text = fields[name] else { return value }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    if parts.count > count { throw StudioError("\(name) may have at most \(count) numbers, not \(parts.count)") }
    var numbers: [Double] = []
    for part in parts where !text.isEmpty {
      guard let number = Double(part), range.contains(number) else {
        throw StudioError(
          "\(name) must be numbers from \(range.lowerBound) to \(range.upperBound)", given: String(part))
      }
      numbers.append(number)
    }
    return numbers
  }

  /// The text of this name, of at most so many characters (Unicode scalars).
  public func text(_ name: String, atMost count: Int, default value: String) throws(StudioError) -> String {
    guard let text = fields[name] else { return value }
    let length = text.unicodeScalars.count
    if length > count { throw StudioError("\(name) may have at most \(count) characters, not \(length)") }
    return text
  }

  /// "1" or "0".
  public func flag(_ name: String, default value: Bool) throws(StudioError) -> Bool {
    switch fields[name] {
    case nil: value
    case "1", "true": true
    case "0", "false": false
    case .some(let text): throw StudioError("\(name) must be 1 or 0", given: text)
    }
  }

  /// One of some words: the cases of an enumeration.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, default value: Choice
  ) throws(StudioError) -> Choice where Choice.RawValue == String {
    guard let text = fields[name] else { return value }
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw StudioError("\(name) must be one of \(names)", given: text)
    }
    return choice
  }

  /// The seed of everything random in the answer.
  public func seed() throws(StudioError) -> UInt64 {
    UInt64(try integer("seed", in: 0...999_999_999, default: 1))
  }

  /// Percent-encoding undone.
  private static func decoded(_ text: Substring) throws(StudioError) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2 else {
        throw StudioError("the address has a % without two hexadecimal digits after it")
      }
      bytes.append(value)
      rest.removeFirst(2)
    }
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw StudioError("the address is not UTF-8")
    }
    return string
  }
}

/// What is wrong with a request, in words for the reader of the page.
public struct StudioError: Error, CustomStringConvertible, Equatable {
  public let description: String

  public init(_ description: String) { self.description = description }

  init(_ requirement: String, given text: String) {
    let shown = text.count > 40 ? text.prefix(40) + "…" : text[...]
    description = "\(requirement), not \"\(shown)\""
  }
}
