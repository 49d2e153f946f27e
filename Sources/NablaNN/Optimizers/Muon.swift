import CNablaKernels
import Glibc
import NablaTensor

/// Muon (Jordan et al. 2024): momentum matrices are replaced by the nearest semi-orthogonal ones, so that all
/// directions of a weight matrix get equal updates.
///
///     u ← μu + (1 - μ)g          update = NewtonSchulz(nesterov: (1 - μ)g + μu)
///     w ← w - η·λ·w - η · √max(1, rows/columns) · update
///
/// Updates only matrices that multiply activations; embeddings, the output layer, norms and biases are updated
/// by AdamW (`rest`) in the same call.
public final class Muon: Optimizer {
  public var learningRate: Schedule
  public let momentum: Float
  public let weightDecay: Float
  /// Updates everything that `isMatrix` excludes.
  public let rest: AdamW
  private let isMatrix: (String, Tensor) -> Bool
  public private(set) var step = 0
  private var velocity: [String: Tensor] = [:]

  /// - Parameters:
  ///   - learningRate: of the orthogonalized updates, by step.
  ///   - momentum: in 0..<1.
  ///   - weightDecay: decoupled, of the matrices.
  ///   - rest: updates all other parameters.
  ///   - isMatrix: which parameters Muon updates; by default matrices that are neither embeddings nor the output layer.
  public init(
    learningRate: @escaping Schedule, momentum: Float = 0.95, weightDecay: Float = 0.1, rest: AdamW,
    isMatrix: @escaping (String, Tensor) -> Bool = { name, value in
      value.rank == 2 && !name.contains("embed") && !name.contains("lm_head")
    }
  ) {
    self.learningRate = learningRate
    (self.momentum, self.weightDecay) = (momentum, weightDecay)
    self.rest = rest
    self.isMatrix = isMatrix
  }

  public func update(_ model: Module, with gradients: Gradients) {
    let rate = learningRate(step)
    var others = gradients
    model.forEachStepped(gradients) { parameter, weight, gradient in
      guard isMatrix(parameter.name, weight) else { return }
      others.remove(parameter.name)
      let g = gradient.scaledShifted(gradients.scale, 0)
      let u = (velocity[parameter.name] ?? .zeros(weight.shape)).mixed(momentum, g, 1 - momentum)
      velocity[parameter.name] = u
      let update = orthogonalized(g.mixed(1 - momentum, u, momentum))
      let scale = Swift.max(1, Float(weight.shape[0]) / Float(weight.shape[1])).squareRoot()
      let next = weight.mixed(1 - rate * weightDecay, update, -rate * scale)
      let copy = weight.storage.bfloat16Copy
      parameter.value = next
      if let copy {
        nabla_float_to_bfloat16(
          Int64(next.count), next.floats, copy.pointer.assumingMemoryBound(to: UInt16.self))
        next.storage.bfloat16Copy = copy
      }
    }
    rest.update(model, with: others)
    step += 1
  }

  public var state: [String: Tensor] {
    rest.state.merging(velocity.map { ("\($0).momentum_buffer", $1) }) { own, _ in own }
  }

  public func restore(_ state: [String: Tensor], step: Int, for model: Module) throws(StateError) {
    try rest.restore(state, step: step, for: model)
    velocity = try restored(state, kinds: ["momentum_buffer"], for: model)[0]
    self.step = step
  }
}

/// The polar factor U·Vᵀ of a matrix G = U·S·Vᵀ, roughly (singular values end within about 0.7…1.2), by five steps of
/// the Newton-Schulz iteration X ← aX + (bA + cA²)X, A = XXᵀ, with coefficients tuned for speed.
public func orthogonalized(_ gradient: Tensor) -> Tensor {
  let (a, b, c): (Float, Float, Float) = (3.4445, -4.7750, 2.0315)
  let tall = gradient.shape[0] > gradient.shape[1]
  var x = tall ? gradient.transposed() : gradient
  x = x.scaledShifted(1 / Swift.max(Float(x.sumOfSquares().squareRoot()), 1e-7), 0)
  for _ in 0..<5 {
    let gram = x.matmul(x, transposingOther: true)
    let polynomial = gram.mixed(b, gram.matmul(gram), c)
    x = x.mixed(a, polynomial.matmul(x), 1)
  }
  return tall ? x.transposed() : x
}

extension Tensor {
  /// alpha·self + beta·other.
  fileprivate func mixed(_ alpha: Float, _ other: Tensor, _ beta: Float) -> Tensor {
    let y = scaledShifted(alpha, 0)
    parallelFor(count, grain: elementGrain) { part in
      nabla_add_scaled(Int64(part.count), beta, other.floats + part.lowerBound, y.floats + part.lowerBound)
    }
    return y
  }
}
