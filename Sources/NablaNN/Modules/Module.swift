import NablaTensor
import Synchronization

/// A part of a model that owns parameters: layers, blocks, whole models.
///
/// Declare parameters with `@Parameter` and children with `@Named`, which gives a child the name it has in a file, if
/// that is not the property's own. Names joined by dots are the names in a state dictionary:
///
/// ```swift
/// final class Scale: Module {
///   @Parameter var weight: Tensor
///   init(width: Int) { weight = .ones([width]) }
///   func callAsFunction(_ x: Tensor) -> Tensor { x * weight }
/// }
/// ```
///
/// A child in a plain property (a module, an optional, an array of modules) is found as well, but cannot be replaced.
/// A model belongs to one thread at a time.
open class Module {
  public init() {}

  /// The members of this module, in declaration order.
  enum Member {
    case parameter(any ParameterBox)
    /// A child; if it can be replaced, its box and its index in the box's array.
    case child(Module, box: (any NamedBox)?, index: Int?)
  }

  /// A property that holds members.
  private enum Property {
    case parameter(any ParameterBox)
    case box(any NamedBox)
    case plain(Any)
  }

  /// Found once by reflection, unless there are children in plain properties, which may change unnoticed.
  private var properties: [(name: String, property: Property)]?

  private func findProperties() -> (found: [(name: String, property: Property)], arePlain: Bool) {
    if let properties { return (properties, false) }
    var found: [(String, Property)] = []
    var arePlain = false
    var levels: [Mirror] = []
    var mirror: Mirror? = Mirror(reflecting: self)
    while let level = mirror, level.subjectType != Module.self {
      levels.insert(level, at: 0)
      mirror = level.superclassMirror
    }
    for child in levels.flatMap(\.children) {
      guard let label = child.label else { continue }
      let name = label.hasPrefix("_") ? String(label.dropFirst()) : label
      if let box = child.value as? any ParameterBox {
        found.append((box.name ?? name, .parameter(box)))
      } else if let box = child.value as? any NamedBox {
        found.append((box.name ?? name, .box(box)))
      } else if child.value is Module || child.value is any ModuleHolder || child.value as? [Module] != nil {
        found.append((name, .plain(child.value)))
        arePlain = true
      }
    }
    if !arePlain { properties = found }
    return (found, arePlain)
  }

  /// Parameters and children by name, those of arrays numbered; and whether plain properties hold some.
  func members() -> (found: [(name: String, member: Member)], arePlain: Bool) {
    let (properties, arePlain) = findProperties()
    var members: [(String, Member)] = []
    func add(_ name: String, _ content: Any?, _ box: (any NamedBox)?) {
      if let module = content as? Module {
        members.append((name, .child(module, box: box, index: nil)))
      } else if let modules = content as? [Module] {
        for (i, module) in modules.enumerated() { members.append(("\(name).\(i)", .child(module, box: box, index: i))) }
      }
    }
    for (name, property) in properties {
      switch property {
      case .parameter(let box): members.append((name, .parameter(box)))
      case .box(let box): add(name, box.content, box)
      case .plain(let content): add(name, content, nil)
      }
    }
    return (members, arePlain)
  }

  // MARK: Parameters

  /// Every parameter once, with its name; a tensor shared by two modules (tied weights) appears under the first name.
  public func parameters() -> [NamedParameter] { places().filter { $0.box.dtype != nil } }

  public func trainableParameters() -> [NamedParameter] {
    places().filter { $0.box.dtype != nil && $0.isTrainable }
  }

  /// How often any model's children have changed.
  static let changes = Atomic<Int>(0)

  /// Cached slots of parameters, filled or empty, with the number of changes when they were found: a training
  /// step uses them several times.
  private var knownPlaces: (changes: Int, places: [NamedParameter])?

  private func places() -> [NamedParameter] {
    let changes = Module.changes.load(ordering: .relaxed)
    if let knownPlaces, knownPlaces.changes == changes { return knownPlaces.places }
    var found: [NamedParameter] = []
    var seen: Set<ObjectIdentifier> = []
    let arePlain = collect(prefix: "", into: &found, &seen)
    knownPlaces = arePlain ? nil : (changes, found)
    return found
  }

  /// Whether plain properties hold children anywhere below.
  private func collect(prefix: String, into places: inout [NamedParameter], _ seen: inout Set<ObjectIdentifier>)
    -> Bool
  {
    var (members, arePlain) = members()
    for (name, member) in members {
      switch member {
      case .parameter(let box):
        if seen.insert(ObjectIdentifier(box)).inserted {
          places.append(NamedParameter(name: prefix + name, box: box))
        }
      case .child(let module, _, _):
        if module.collect(prefix: prefix + name + ".", into: &places, &seen) { arePlain = true }
      }
    }
    return arePlain
  }

  public var parameterCount: Int { parameters().reduce(0) { $0 + $1.value.count } }

  /// Freezes parameters: no gradients, no updates. Modules inserted later (`replace`) are not
  /// affected: a new layer learns although the model around it is frozen.
  ///
  /// - Parameter isChosen: which parameters, by name.
  public func freeze(where isChosen: (_ name: String) -> Bool = { _ in true }) {
    for parameter in parameters() where isChosen(parameter.name) { parameter.isTrainable = false }
  }

  /// The opposite of `freeze`.
  public func unfreeze(where isChosen: (_ name: String) -> Bool = { _ in true }) {
    for parameter in parameters() where isChosen(parameter.name) { parameter.isTrainable = true }
  }

  /// Sets every parameter to the result of `map`, which has the same shape.
  public func apply(_ map: (NamedParameter) -> Tensor) {
    for parameter in parameters() { parameter.value = map(parameter) }
  }
}
