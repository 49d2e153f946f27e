/// Marks a child of a module as replaceable by `Module.replace`, and gives it its name in files, if that
/// differs from the property's: `@Named("self_attn") var attention: Attention`.
///
/// The child may be a module of any type, an array of modules, or optional. Set it in the initializer, after
/// `super.init()`.
@propertyWrapper
public final class Named<Part>: NamedBox {
  let name: String?
  private var part: Part?

  public init() { name = nil }
  public init(_ name: String) { self.name = name }

  public var wrappedValue: Part {
    get {
      guard let part else {
        preconditionFailure("@Named \(name.map { "\"\($0)\" " } ?? "")\(Part.self) was not set in the initializer")
      }
      return part
    }
    set {
      part = newValue
      Module.changes.add(1, ordering: .relaxed)
    }
  }

  var content: Any? { part }

  func put(_ module: Module, at index: Int?) -> Bool {
    if let index {
      guard var modules = part as? [Module] else { return false }
      modules[index] = module
      guard let changed = modules as? Part else { return false }
      wrappedValue = changed
    } else {
      guard let changed = module as? Part else { return false }
      wrappedValue = changed
    }
    return true
  }

  var contentType: String {
    var name = "\(Part.self)"
    while name.hasPrefix("Optional<") || name.hasPrefix("Array<") {
      name = String(name.dropFirst(name.hasPrefix("Array<") ? 6 : 9).dropLast())
    }
    return name
  }
}

/// The interface of a `@Named` property to `Module`.
protocol NamedBox: AnyObject {
  var name: String? { get }
  var content: Any? { get }
  /// The type of module it holds.
  var contentType: String { get }
  /// Replaces its module, or the one at an index of its array; false if it cannot hold such a module.
  func put(_ module: Module, at index: Int?) -> Bool
}

/// Optionals and arrays of modules, with or without modules in them now.
protocol ModuleHolder {}
extension Optional: ModuleHolder where Wrapped: Module {}
extension Array: ModuleHolder where Element: Module {}
