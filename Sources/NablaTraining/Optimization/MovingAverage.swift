import NablaNN
import NablaTensor

/// An exponential moving average of a model's parameters, w̄ ← d·w̄ + (1 - d)·w after each step: smoother than the last
/// weights (Polyak & Juditsky 1992).
public struct MovingAverage {
  public let decay: Float
  /// w̄ by parameter name.
  public private(set) var tensors: [String: Tensor]

  /// Starts at the model's present weights.
  public init(of model: Module, decay: Float) {
    self.decay = decay
    tensors = Dictionary(uniqueKeysWithValues: model.parameters().map { ($0.name, $0.value * 1) })
  }

  /// Goes back to a saved average.
  public init(_ tensors: [String: Tensor], decay: Float) {
    (self.decay, self.tensors) = (decay, tensors)
  }

  public mutating func update(_ model: Module) {
    for parameter in model.parameters() {
      tensors[parameter.name] = tensors[parameter.name]! * Tensor(decay) + parameter.value * Tensor(1 - decay)
    }
  }

  /// Runs `body` while the model has the averaged weights.
  public func applied<Result>(to model: Module, _ body: () throws -> Result) rethrows -> Result {
    let parameters = model.parameters()
    let own = parameters.map(\.value)
    for parameter in parameters { parameter.value = tensors[parameter.name]! }
    defer { for (parameter, value) in zip(parameters, own) { parameter.value = value } }
    return try body()
  }
}
