/// The members of a JSON object in the order they were written, with lookup by key in constant time.
public struct JSONObject: Sendable {
  /// One key and its value.
  public struct Member: Sendable, Equatable {
    public let key: String
    public fileprivate(set) var value: JSONValue

    public static func == (left: Member, right: Member) -> Bool {
      left.key.utf8.elementsEqual(right.key.utf8) && left.value == right.value
    }
  }

  public private(set) var members: [Member] = []
  private var positions: [ByteKey: Int] = [:]

  public init() {}

  /// A later pair with the same key replaces the value of the earlier one.
  public init(_ pairs: some Sequence<(String, JSONValue)>) {
    for (key, value) in pairs { self[key] = value }
  }

  public var count: Int { members.count }
  public var keys: [String] { members.map(\.key) }

  /// Setting a new key appends it; setting nil removes the member, in time linear in the count.
  public subscript(key: String) -> JSONValue? {
    get { positions[ByteKey(key)].map { members[$0].value } }
    set {
      let position = positions[ByteKey(key)]
      switch (position, newValue) {
      case (let position?, let value?):
        members[position].value = value
      case (nil, let value?):
        append(key, value)
      case (let position?, nil):
        members.remove(at: position)
        positions = [:]
        for (index, member) in members.enumerated() { positions[ByteKey(member.key)] = index }
      case (nil, nil):
        break
      }
    }
  }

  /// Adds a member; false, and nothing added, if the key already exists.
  @discardableResult
  mutating func append(_ key: String, _ value: JSONValue) -> Bool {
    let count = members.count
    let isNew = { (position: inout Int?) in
      if position != nil { return false }
      position = count
      return true
    }(&positions[ByteKey(key)])
    if isNew { members.append(Member(key: key, value: value)) }
    return isNew
  }
}

extension JSONObject: Equatable {
  /// Order matters, as it does in the file.
  public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }
}

/// A key compared by its UTF-8 bytes: `String` itself equates canonically equivalent strings.
private struct ByteKey: Hashable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (left: ByteKey, right: ByteKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
