import NablaFormats
import NablaNN
import NablaTensor

/// A part of a step's batch, small enough for one forward and backward pass.
public struct MicroBatch<Model: Module> {
  /// How many of the units that the loss is averaged over it holds: target tokens, rows.
  public let weight: Double
  /// The mean loss over the micro-batch, a recorded scalar.
  public let loss: (Model) throws -> Tensor

  public init(weight: Double, loss: @escaping (Model) throws -> Tensor) {
    precondition(weight >= 0 && weight.isFinite, "MicroBatch: a weight of \(weight)")
    (self.weight, self.loss) = (weight, loss)
  }
}

/// The optimization step of every trainer: micro-batches → gradient → spike guard → clip → optimizer → moving average.
///
/// The gradient is that of the mean over the whole batch. A micro-batch counts by its weight, so that one with ten
/// target tokens does not count as much as one with a thousand: a mean of means is not the mean. Micro-batches are
/// summed in order, each computed separately, so that the sum does not depend on which worker computes which.
///
/// ```swift
/// let (loss, gradients) = try optimization.gradients(of: model, microBatches)
/// let outcome = try optimization.apply(gradients, loss: loss, to: model)
/// ```
public struct OptimizationStep {
  public let optimizer: any Optimizer
  /// The maximum global gradient norm; 0 for no clipping.
  public let clip: Float
  /// Added to the norm in the denominator of clipping: 1e-6 in torch's `clip_grad_norm_`.
  public let clipEpsilon: Float
  /// Decides whether to take a step; nil takes every step with finite numbers.
  public var spikeGuard: SpikeGuard?
  /// The moving average of the weights, if there is one.
  public var average: MovingAverage?

  public init(
    _ optimizer: any Optimizer, clip: Float, clipEpsilon: Float = 0, spikeGuard: SpikeGuard? = nil,
    average: MovingAverage? = nil
  ) {
    (self.optimizer, self.clip, self.clipEpsilon) = (optimizer, clip, clipEpsilon)
    (self.spikeGuard, self.average) = (spikeGuard, average)
  }

  /// The outcome of a step.
  public struct Outcome: Sendable, Equatable {
    /// The mean over the batch.
    public let loss: Double
    /// The global norm before clipping.
    public let gradientNorm: Double
    /// Why the step was skipped: nothing has changed then. Nil if it was taken.
    public let skipped: String?
  }

  /// The mean loss over all micro-batches together, and its gradient.
  public func gradients<Model: Module>(
    of model: Model, _ microBatches: [MicroBatch<Model>]
  ) throws -> (loss: Double, gradients: Gradients) {
    let total = microBatches.reduce(0) { $0 + $1.weight }
    precondition(total > 0, "OptimizationStep: the total weight of the micro-batches is 0")
    var sum = Gradients()
    var loss = 0.0
    for microBatch in microBatches where microBatch.weight > 0 {
      let share = microBatch.weight / total
      let (value, gradients) = try valueAndGradient(of: model) { model in
        let loss = try microBatch.loss(model)
        return share == 1 ? loss : loss * Tensor(Float(share))
      }
      sum.add(gradients)
      loss += Double(value.item())
    }
    return (loss, sum)
  }

  /// Takes the step, unless its loss or gradient is bad.
  ///
  /// - Throws: ``Diverged`` when too many bad steps came in a row. Nothing has changed then.
  public mutating func apply<Model: Module>(
    _ gradients: Gradients, loss: Double, to model: Model
  ) throws(Diverged) -> Outcome {
    let norm = Double(gradients.norm)
    var verdict = SpikeGuard.Verdict.take
    if spikeGuard != nil {
      verdict = spikeGuard!.judge(loss: loss, gradientNorm: norm)
    } else if !(loss.isFinite && norm.isFinite) {
      verdict = .stop(reason: loss.isFinite ? "the gradient norm is \(norm)" : "the loss is \(loss)")
    }
    switch verdict {
    case .take:
      let scale = clip > 0 && norm > Double(clip) ? clip / (Float(norm) + clipEpsilon) : 1
      optimizer.update(model, with: scale == 1 ? gradients : gradients.scaled(by: scale))
      average?.update(model)
      return Outcome(loss: loss, gradientNorm: norm, skipped: nil)
    case .skip(let reason):
      return Outcome(loss: loss, gradientNorm: norm, skipped: reason + nonFinite(gradients, model))
    case .stop(let reason):
      throw Diverged(reason: reason + nonFinite(gradients, model))
    }
  }

  /// Both at once.
  public mutating func take<Model: Module>(
    on model: Model, _ microBatches: [MicroBatch<Model>]
  ) throws -> Outcome {
    let (loss, gradients) = try gradients(of: model, microBatches)
    return try apply(gradients, loss: loss, to: model)
  }

  /// Runs `body` while the model has the averaged weights, if there are any.
  public func averaged<Result>(_ model: Module, _ body: () throws -> Result) rethrows -> Result {
    if let average { return try average.applied(to: model, body) }
    return try body()
  }

  private func nonFinite(_ gradients: Gradients, _ model: Module) -> String {
    if let name = model.firstNonFinite { return "; the first non-finite parameter is \(name)" }
    return gradients.firstNonFinite.map { "; the first non-finite gradient is that of \($0)" } ?? ""
  }
}

/// Training that produced non-finite numbers, or did not recover from bad steps.
public struct Diverged: Error, Sendable, Equatable, CustomStringConvertible {
  public let reason: String
  public init(reason: String) { self.reason = reason }
  public var description: String { "training has diverged: \(reason)" }
}
