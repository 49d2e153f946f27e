import CNablaKernels
import NablaTensor

/// Stochastic gradient descent with momentum (Sutskever et al. 2013): u ← μu + g, w ← w - η·u; with `nesterov`,
/// w ← w - η·(g + μu). Weight decay is added to the gradient.
public final class SGD: Optimizer {
  public var learningRate: Schedule
  public let momentum: Float
  public let weightDecay: Float
  public let nesterov: Bool
  private let decays: (String, Tensor) -> Bool
  public private(set) var step = 0
  private var velocity: [String: Tensor] = [:]

  public init(
    learningRate: @escaping Schedule, momentum: Float = 0, weightDecay: Float = 0, nesterov: Bool = false,
    decays: @escaping (String, Tensor) -> Bool = decaysMatrices
  ) {
    self.learningRate = learningRate
    (self.momentum, self.weightDecay, self.nesterov) = (momentum, weightDecay, nesterov)
    self.decays = decays
  }

  public func update(_ model: Module, with gradients: Gradients) {
    var settings = nabla_sgd_settings()
    (settings.learning_rate, settings.momentum) = (learningRate(step), momentum)
    (settings.gradient_scale, settings.nesterov) = (gradients.scale, nesterov ? 1 : 0)
    model.forEachStepped(gradients) { parameter, weight, gradient in
      settings.weight_decay = decays(parameter.name, weight) ? weightDecay : 0
      settings.first = velocity[parameter.name] == nil ? 1 : 0
      // Whoever holds the state keeps it as it was.
      velocity[parameter.name, default: Tensor(uninitialized: weight.shape)].makeUnique()
      let u = velocity[parameter.name]!
      let copy = weight.storage.bfloat16Copy?.pointer.assumingMemoryBound(to: UInt16.self)
      parallelFor(weight.count, grain: elementGrain) { part in
        let i = part.lowerBound
        nabla_sgd_step(
          Int64(part.count), settings, weight.floats + i, gradient.floats + i, u.floats + i, copy.map { $0 + i })
      }
    }
    step += 1
  }

  public var state: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: velocity.map { ("\($0).momentum_buffer", $1) })
  }

  public func restore(_ state: [String: Tensor], step: Int, for model: Module) throws(StateError) {
    velocity = try restored(state, kinds: ["momentum_buffer"], for: model)[0]
    self.step = step
  }
}
