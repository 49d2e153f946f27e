import NablaTensor

/// A part of a model that owns parameters: layers, blocks, whole models.
///
/// Declare parameters with `@Parameter` and parts as plain properties; `@Named` gives a part or parameter the name it
/// has in a file, if that is not the property's own. Names joined by dots are the names in a state dictionary:
///
/// ```swift
/// final class Scale: Module {
///   @Parameter var weight: Tensor
///   init(width: Int) { weight = .ones([width]) }
///   func callAsFunction(_ x: Tensor) -> Tensor { x * weight }
/// }
/// ```
///
/// A model belongs to one thread at a time.
open class Module {
  public init() {}

  /// The parts and parameters of this module by reflection, in the order of declaration.
  private lazy var members: [(name: String, member: Member)] = {
    var found: [(String, Member)] = []
    var mirror: Mirror? = Mirror(reflecting: self)
    var levels: [Mirror] = []
    while let level = mirror, level.subjectType != Module.self {
      levels.insert(level, at: 0)
      mirror = level.superclassMirror
    }
    func add(_ name: String, _ value: Any) {
      if let box = value as? any ParameterBox {
        found.append((box.name ?? name, .parameter(box)))
      } else if let named = value as? any NamedPart {
        if let part = named.content { add(named.name, part) }
      } else if let module = value as? Module {
        found.append((name, .module(module)))
      } else if let modules = value as? [Module] {
        for (i, module) in modules.enumerated() { found.append(("\(name).\(i)", .module(module))) }
      }
    }
    for child in levels.flatMap(\.children) {
      guard let label = child.label else { continue }
      add(label.hasPrefix("_") ? String(label.dropFirst()) : label, child.value)
    }
    return found
  }()

  private enum Member {
    case parameter(any ParameterBox)
    case module(Module)
  }

  /// Every parameter once, with its name; a tensor shared by two parts (tied weights) appears under the first name.
  public func parameters() -> [NamedParameter] { named.filter { $0.box.dtype != nil } }

  /// The places of parameters, with or without one in them. Found once, as the members are: a training step asks for
  /// them several times.
  private lazy var named: [NamedParameter] = {
    var result: [NamedParameter] = []
    var seen: Set<ObjectIdentifier> = []
    collect(prefix: "", into: &result, &seen)
    return result
  }()

  public func trainableParameters() -> [NamedParameter] {
    named.filter { $0.box.dtype != nil && $0.isTrainable }
  }

  private func collect(prefix: String, into result: inout [NamedParameter], _ seen: inout Set<ObjectIdentifier>) {
    for (name, member) in members {
      switch member {
      case .parameter(let box):
        if seen.insert(ObjectIdentifier(box)).inserted {
          result.append(NamedParameter(name: prefix + name, box: box))
        }
      case .module(let module):
        module.collect(prefix: prefix + name + ".", into: &result, &seen)
      }
    }
  }

  /// Parameters keep their values from here on: no gradients, no steps.
  public func freeze() { for parameter in parameters() { parameter.isTrainable = false } }
  public func unfreeze() { for parameter in parameters() { parameter.isTrainable = true } }

  public var parameterCount: Int { parameters().reduce(0) { $0 + $1.value.count } }

  /// Replaces parameters by name.
  ///
  /// - Parameter keepingTypes: whether matrices stay as they are (block-quantized, in 16 bits, in a mapped file) and are
  ///   shared rather than copied to float32. Such a parameter is constant: only float32 ones are trained.
  /// - Throws: `StateError` naming each parameter that is missing, unknown or of another shape; then nothing changes.
  public func load(_ state: [String: Tensor], keepingTypes: Bool = false) throws(StateError) {
    let own = parameters()
    let names = Set(own.map(\.name))
    var problems = state.keys.filter { !names.contains($0) }.sorted().map { "unknown tensor \($0)" }
    for parameter in own {
      guard let tensor = state[parameter.name] else {
        problems.append("missing tensor \(parameter.name)")
        continue
      }
      if tensor.shape != parameter.value.shape {
        problems.append("\(parameter.name) has shape \(tensor.shape), the model needs \(parameter.value.shape)")
      }
    }
    guard problems.isEmpty else { throw StateError(problems: problems) }
    for parameter in own {
      let tensor = state[parameter.name]!.stopGradient()
      let keeps = keepingTypes && tensor.rank >= 2 && tensor.dtype != .float64
      parameter.value = keeps ? tensor : tensor.cast(.float32).copy()
    }
  }
}

/// A state dictionary that does not fit a model.
public struct StateError: Error, CustomStringConvertible, Sendable {
  public let problems: [String]

  public init(problems: [String]) { self.problems = problems }

  public var description: String {
    let shown = problems.prefix(5).joined(separator: "; ")
    return problems.count > 5 ? "\(shown); and \(problems.count - 5) more" : shown
  }
}

/// A parameter in its place in a model. Setting `value` changes the model.
public struct NamedParameter {
  public let name: String
  let box: any ParameterBox

  public var value: Tensor {
    get { box.tensor!.stopGradient() }
    nonmutating set {
      precondition(newValue.shape == box.tensor!.shape, "\(name): shape \(newValue.shape) for \(box.tensor!.shape)")
      box.tensor = newValue.stopGradient()
    }
  }
  /// Whether gradients are made for it. A parameter kept in a smaller type than float32 is constant.
  public var isTrainable: Bool {
    get { box.isTrainable && (box.dtype == .float32 || box.dtype == .float64) }
    nonmutating set { box.isTrainable = newValue }
  }
}

protocol ParameterBox: AnyObject {
  var name: String? { get }
  var tensor: Tensor? { get set }
  /// nil where there is no tensor.
  var dtype: DType? { get }
  var isTrainable: Bool { get set }
  /// Makes the tensor a leaf, which gradients come to.
  func record() -> Node
  func endRecord()
  /// The tensor, in float32 and in memory that no other tensor shares: optimizers write to it.
  func ownTensor() -> Tensor
}

/// What `@Parameter` may hold: a tensor, or one that may be absent (a bias).
public protocol ParameterValue {
  static func from(_ tensor: Tensor?) -> Self
  var parameterTensor: Tensor? { get }
}
extension Tensor: ParameterValue {
  public static func from(_ tensor: Tensor?) -> Tensor { tensor! }
  public var parameterTensor: Tensor? { self }
}
extension Tensor?: ParameterValue {
  public static func from(_ tensor: Tensor?) -> Tensor? { tensor }
  public var parameterTensor: Tensor? { self }
}

/// Marks a property as a parameter: found by `parameters()`, differentiated and stepped.
@propertyWrapper
public final class Parameter<Value: ParameterValue>: ParameterBox {
  let name: String?
  var tensor: Tensor?
  public var isTrainable = true

  public init(wrappedValue: Value) {
    tensor = wrappedValue.parameterTensor
    name = nil
  }

  public init(wrappedValue: Value, _ name: String) {
    tensor = wrappedValue.parameterTensor
    self.name = name
  }

  public var wrappedValue: Value {
    get { Value.from(tensor) }
    set { tensor = newValue.parameterTensor }
  }

  // In place: every training step asks these of every parameter.
  var dtype: DType? { tensor?.dtype }
  func record() -> Node {
    let leaf = Node(shape: tensor!.shape, dtype: tensor!.dtype)
    tensor!.node = leaf
    return leaf
  }
  func endRecord() { tensor?.node = nil }
  func ownTensor() -> Tensor {
    if !isKnownUniquelyReferenced(&tensor!.storage) || tensor!.storage.isBorrowed || tensor!.dtype != .float32 {
      tensor = tensor!.cast(.float32).copy()
    }
    tensor!.storage.transposed = nil
    return tensor!
  }
}

protocol NamedPart {
  var name: String { get }
  var content: Any? { get }
}

/// Gives a part of a model the name it has in a file: `@Named("self_attn") var attention: Attention`. The part may be
/// an array, or optional. Set it in the initializer, after `super.init()`.
@propertyWrapper
public final class Named<Part>: NamedPart {
  let name: String
  private var part: Part?
  var content: Any? { part }

  public init(_ name: String) { self.name = name }

  public var wrappedValue: Part {
    get { part! }
    set { part = newValue }
  }
}

extension Module: CustomStringConvertible {
  /// The tree of parts with shapes and counts.
  public var description: String { tree(indent: "") }

  private func tree(indent: String) -> String {
    var lines = ["\(type(of: self)) (\(grouped(parameterCount)) parameters)"]
    for (name, member) in members {
      switch member {
      case .parameter(let box):
        guard let tensor = box.tensor else { continue }
        let type = tensor.dtype == .float32 ? "" : " \(tensor.dtype)"
        lines.append("\(indent)  \(name): \(tensor.shape)\(type)\(box.isTrainable ? "" : " frozen")")
      case .module(let module):
        lines.append("\(indent)  \(name): \(module.tree(indent: indent + "  "))")
      }
    }
    return lines.joined(separator: "\n")
  }
}

/// 1234567 → "1,234,567".
package func grouped(_ number: Int) -> String {
  var digits = String(number.magnitude)
  var groups: [String] = []
  while digits.count > 3 {
    groups.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  groups.insert(digits, at: 0)
  return (number < 0 ? "-" : "") + groups.joined(separator: ",")
}
