/// The metadata of a GGUF file: keys such as "llama.block_count" and their values, in the order of the file.
///
/// The accessors by type throw a ``GGUFError`` that names the file and the key.
///
/// ```swift
/// let file = try GGUFFile(path: "model.gguf")
/// let layers = try file.metadata.integer("llama.block_count")
/// let pieces = try file.metadata.strings("tokenizer.ggml.tokens")
/// ```
public struct GGUFMetadata: Sendable, Equatable {
  /// One key and its value.
  public struct Member: Sendable, Equatable {
    public let key: String
    public fileprivate(set) var value: GGUFValue
  }

  /// The file's name, for errors.
  public let file: String
  public private(set) var members: [Member] = []
  private var positions: [String: Int] = [:]

  public init(file: String = "the metadata") { self.file = file }

  public var count: Int { members.count }

  /// Setting a new key appends it; setting nil removes the key, in time linear in the count.
  public subscript(key: String) -> GGUFValue? {
    get { positions[key].map { members[$0].value } }
    set {
      switch (positions[key], newValue) {
      case (let position?, let value?): members[position].value = value
      case (nil, let value?): append(key, value)
      case (let position?, nil):
        members.remove(at: position)
        positions = [:]
        for (index, member) in members.enumerated() { positions[member.key] = index }
      case (nil, nil): break
      }
    }
  }

  /// Adds a key; false, and nothing added, if it already exists.
  @discardableResult
  mutating func append(_ key: String, _ value: GGUFValue) -> Bool {
    guard positions[key] == nil else { return false }
    positions[key] = members.count
    members.append(Member(key: key, value: value))
    return true
  }

  public static func == (left: GGUFMetadata, right: GGUFMetadata) -> Bool { left.members == right.members }
}

// MARK: Values by type

extension GGUFMetadata {
  public func has(_ key: String) -> Bool { positions[key] != nil }

  /// A non-negative integer of any width in the file.
  public func integer(_ key: String, default standard: Int? = nil) throws(GGUFError) -> Int {
    try value(key, standard, "a non-negative integer") { $0.integer.flatMap { $0 >= 0 ? $0 : nil } }
  }

  /// A finite number.
  public func number(_ key: String, default standard: Double? = nil) throws(GGUFError) -> Double {
    try value(key, standard, "a finite number") { $0.double.flatMap { $0.isFinite ? $0 : nil } }
  }

  public func bool(_ key: String, default standard: Bool? = nil) throws(GGUFError) -> Bool {
    try value(key, standard, "true or false") { $0.bool }
  }

  public func string(_ key: String, default standard: String? = nil) throws(GGUFError) -> String {
    try value(key, standard, "a string") { $0.string }
  }

  public func array(_ key: String) throws(GGUFError) -> GGUFArray {
    try value(key, nil, "an array") { $0.array }
  }

  /// An array of strings that are UTF-8.
  public func strings(_ key: String) throws(GGUFError) -> [String] {
    try value(key, nil, "an array of strings in UTF-8") { $0.array?.strings() }
  }

  /// An array of integers of any width.
  public func integers(_ key: String) throws(GGUFError) -> [Int] {
    try value(key, nil, "an array of integers") { $0.array?.integers() }
  }

  /// An array of numbers of any type.
  public func numbers(_ key: String) throws(GGUFError) -> [Double] {
    try value(key, nil, "an array of numbers") { $0.array?.doubles() }
  }

  /// An error about a key of this file.
  public func failure(_ key: String, _ kind: GGUFError.Kind) -> GGUFError {
    GGUFError(file: file, subject: .key(key), kind: kind)
  }

  private func value<Value>(
    _ key: String, _ standard: Value?, _ expected: String, _ convert: (GGUFValue) -> Value?
  ) throws(GGUFError) -> Value {
    guard let found = self[key] else {
      if let standard { return standard }
      throw failure(key, .missingKey)
    }
    guard let value = convert(found) else {
      throw failure(
        key, .wrongValue(expected: expected, found: "\(found.kind == .array ? "" : "the \(found.kind) ")\(found)"))
    }
    return value
  }
}
