import NablaTensor

/// A parameter of a model. Setting `value` changes the model.
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
  /// Whether it receives gradients. A parameter in a smaller type than float32 is frozen.
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
  /// Makes the tensor a leaf, which receives gradients.
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

/// Marks a property as a parameter: listed by `parameters()`, differentiated and updated.
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

  // Inlined: every training step uses these for every parameter.
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
