import NablaFormats

/// The values of a template: those of Python that Jinja exposes.
enum TemplateValue {
  /// An undefined name or member. It prints as nothing and most other uses are errors.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  case number(Double)
  /// UTF-8, always valid.
  case string([UInt8])
  /// The result of the filter `safe`, which Python treats differently from text when it is added to.
  case markup([UInt8])
  case list(TemplateList)
  case dictionary(TemplateDictionary)
  case iterator(TemplateIterator)
  case namespace(TemplateNamespace)
  case loop(TemplateLoopState)
  case function(TemplateFunction)

  static func text(_ text: String) -> TemplateValue { .string(Array(text.utf8)) }

  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .number(let value): value != 0
    case .string(let bytes), .markup(let bytes): !bytes.isEmpty
    case .list(let list): !list.items.isEmpty
    case .dictionary(let dictionary): !dictionary.entries.isEmpty
    case .iterator, .namespace, .loop, .function: true
    }
  }

  /// How many containers are nested in this one. Bounded where containers are made, so that walks (printing,
  /// comparing, freeing) cannot overflow the stack.
  var depth: Int {
    switch self {
    case .list(let list): list.depth
    case .dictionary(let dictionary): dictionary.depth
    default: 0
    }
  }

  /// The name of this kind of value, for messages.
  var typeName: String {
    switch self {
    case .undefined(let name): "undefined (\(name))"
    case .none: "none"
    case .bool: "a boolean"
    case .integer, .number: "a number"
    case .string, .markup: "text"
    case .list: "a list"
    case .dictionary: "a mapping"
    case .iterator: "the result of a filter that gives its items one by one"
    case .namespace: "a namespace"
    case .loop: "the loop"
    case .function: "a function"
    }
  }

  var textBytes: [UInt8]? {
    switch self {
    case .string(let bytes), .markup(let bytes): bytes
    default: nil
    }
  }

  /// The value of a whole number; Python's True and False are 1 and 0.
  var wholeNumber: Int? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  var anyNumber: Double? { if case .number(let value) = self { value } else { wholeNumber.map(Double.init) } }
}

/// A list, a tuple, or a view that can be looped over and indexed but not printed (`range`, `dict.items()`).
struct TemplateList {
  enum Kind { case list, tuple, view }

  let items: [TemplateValue]
  let kind: Kind
  let depth: Int

  init(_ items: [TemplateValue], _ kind: Kind = .list) {
    self.items = items
    self.kind = kind
    depth = 1 + items.reduce(0) { max($0, $1.depth) }
  }
}

/// A mapping that keeps the order of its keys.
struct TemplateDictionary {
  enum Key: Hashable {
    case string([UInt8])
    case integer(Int)

    var value: TemplateValue {
      switch self {
      case .string(let bytes): .string(bytes)
      case .integer(let value): .integer(value)
      }
    }
  }

  private(set) var entries: [(key: Key, value: TemplateValue)] = []
  private var positions: [Key: Int] = [:]
  private(set) var depth = 1

  subscript(key: Key) -> TemplateValue? { positions[key].map { entries[$0].value } }

  mutating func set(_ key: Key, _ value: TemplateValue) {
    depth = max(depth, 1 + value.depth)
    if let position = positions[key] {
      entries[position].value = value
    } else {
      positions[key] = entries.count
      entries.append((key, value))
    }
  }
}

/// What `map`, `select` and the like give: Python makes their items as a loop asks for them, once.
final class TemplateIterator {
  private var items: [TemplateValue]

  init(_ items: [TemplateValue]) { self.items = items }

  func take() -> [TemplateValue] {
    defer { items = [] }
    return items
  }
}

/// `namespace(…)`: attributes that a loop's body can change for what follows the loop.
final class TemplateNamespace {
  var attributes: [String: TemplateValue] = [:]
}

/// The names that a body sees: its own, then those of the body around it.
final class TemplateScope {
  var values: [String: TemplateValue] = [:]
  let parent: TemplateScope?

  init(parent: TemplateScope?) { self.parent = parent }
}

/// The variable `loop`.
final class TemplateLoopState {
  let items: [TemplateValue]
  var index = 0
  var last: [TemplateValue]?

  init(items: [TemplateValue]) { self.items = items }
}

enum TemplateFunction {
  case range, namespace, dictionary, raiseException, strftimeNow
  case macro(TemplateMacro, TemplateScope)
  indirect case method(of: TemplateValue, String)
}

extension TemplateValue {
  /// A JSON value as a template sees it. JSON from a file nests at most ``JSONValue/maximumDepth`` deep.
  init(_ json: JSONValue, depth: Int = 0) throws(ChatTemplateError) {
    if depth > JSONValue.maximumDepth {
      throw ChatTemplateError(kind: .limit, problem: "a value nests deeper than \(JSONValue.maximumDepth) levels")
    }
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let value): self = .text(value)
    case .array(let elements):
      var items: [TemplateValue] = []
      for element in elements { items.append(try TemplateValue(element, depth: depth + 1)) }
      self = .list(TemplateList(items))
    case .object(let object):
      var dictionary = TemplateDictionary()
      for member in object.members {
        dictionary.set(.string(Array(member.key.utf8)), try TemplateValue(member.value, depth: depth + 1))
      }
      self = .dictionary(dictionary)
    }
  }
}
