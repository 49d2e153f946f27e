import CNablaKernels
import Glibc
import NablaTensor

/// Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019):
///
///     m ← β₁m + (1 - β₁)g          v ← β₂v + (1 - β₂)g²
///     w ← w - η·λ·w - η · (m/(1 - β₁ᵗ)) / (√(v/(1 - β₂ᵗ)) + ε)
///
/// Each parameter is read and written once per step; its bfloat16 copy, if there is one, is refreshed in the same pass.
public final class AdamW: Optimizer {
  public var learningRate: Schedule
  public let beta1: Float
  public let beta2: Float
  public let epsilon: Float
  /// λ.
  public let weightDecay: Float
  private let decays: (String, Tensor) -> Bool
  public private(set) var step = 0
  private var moments: [String: Moments] = [:]

  private final class Moments {
    var m: Tensor
    var v: Tensor
    init(_ m: Tensor, _ v: Tensor) { (self.m, self.v) = (m, v) }
  }

  public init(
    learningRate: @escaping Schedule, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0.01, decays: @escaping (String, Tensor) -> Bool = decaysMatrices
  ) {
    self.learningRate = learningRate
    (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
    self.weightDecay = weightDecay
    self.decays = decays
  }

  public func update(_ model: Module, with gradients: Gradients) {
    var settings = nabla_adamw_settings()
    settings.learning_rate = learningRate(step)
    (settings.beta1, settings.beta2, settings.epsilon) = (beta1, beta2, epsilon)
    settings.correction1 = Float(1 - pow(Double(beta1), Double(step + 1)))
    settings.correction2 = Float(1 - pow(Double(beta2), Double(step + 1)))
    settings.gradient_scale = gradients.scale
    var stepped: [(weight: Tensor, gradient: Tensor, moments: Moments, settings: nabla_adamw_settings)] = []
    model.forEachStepped(gradients) { parameter, weight, gradient in
      settings.weight_decay = weightDecay != 0 && decays(parameter.name, weight) ? weightDecay : 0
      stepped.append((weight, gradient, moments(of: parameter.name, weight.shape), settings))
    }
    parallelFor(stepped.map(\.weight.count), grain: elementGrain / 4) { parameter, part in
      let (weight, gradient, moments, settings) = stepped[parameter]
      let copy = weight.storage.bfloat16Copy?.pointer.assumingMemoryBound(to: UInt16.self)
      let i = part.lowerBound
      nabla_adamw_step(
        Int64(part.count), settings, weight.floats + i, gradient.floats + i, moments.m.floats + i,
        moments.v.floats + i, copy.map { $0 + i })
    }
    step += 1
  }

  private func moments(of name: String, _ shape: Shape) -> Moments {
    if let known = moments[name] {
      // Whoever holds the state keeps it as it was.
      known.m.makeUnique()
      known.v.makeUnique()
      return known
    }
    let new = Moments(.zeros(shape), .zeros(shape))
    moments[name] = new
    return new
  }

  public var state: [String: Tensor] {
    var state: [String: Tensor] = [:]
    for (name, pair) in moments {
      state["\(name).exp_avg"] = pair.m
      state["\(name).exp_avg_sq"] = pair.v
    }
    return state
  }

  public func restore(_ state: [String: Tensor], step: Int, for model: Module) throws(StateError) {
    let tables = try restored(state, kinds: ["exp_avg", "exp_avg_sq"], for: model)
    moments = [:]
    for name in Set(tables[0].keys).union(tables[1].keys) {
      let shape = (tables[0][name] ?? tables[1][name]!).shape
      moments[name] = Moments(tables[0][name] ?? .zeros(shape), tables[1][name] ?? .zeros(shape))
    }
    self.step = step
  }
}
