import Glibc
import NablaNN
import NablaTensor

/// An exponential moving average of a model's parameters, w̄ ← d·w̄ + (1 - d)·w after each step: smoother than the last
/// weights (Polyak & Juditsky 1992).
///
/// The initial weights are random, and an average of fixed decay would include them for about 1/(1 - d) steps.
/// With a warmup the decay of update n = 1, 2, … is 1 - n^(-power), and at most d: the first update copies the weights,
/// and the average always covers a fraction of the training so far.
public struct MovingAverage {
  public let decay: Float
  /// Nil for no warmup; ¾ is usual for diffusion models.
  public let warmupPower: Double?
  /// Updates so far.
  public private(set) var updates: Int
  /// w̄ by parameter name.
  public private(set) var tensors: [String: Tensor]

  /// Starts from the model's current weights.
  public init(of model: Module, decay: Float, warmupPower: Double? = nil) {
    (self.decay, self.warmupPower, updates) = (decay, warmupPower, 0)
    tensors = Dictionary(uniqueKeysWithValues: model.parameters().map { ($0.name, $0.value * 1) })
  }

  /// Restores a saved average.
  public init(_ tensors: [String: Tensor], decay: Float, warmupPower: Double? = nil, updates: Int = 0) {
    (self.tensors, self.decay, self.warmupPower, self.updates) = (tensors, decay, warmupPower, updates)
  }

  /// The decay of update n, from 1.
  func decay(at n: Int) -> Float {
    guard let warmupPower else { return decay }
    return min(decay, Float(1 - pow(Double(n), -warmupPower)))
  }

  public mutating func update(_ model: Module) {
    updates += 1
    let decay = decay(at: updates)
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
