import NablaTensor

/// A network, or any function, that separates the data and the noise of noisy samples, with its kind of prediction.
///
/// ```swift
/// let denoiser = Denoiser(predicting: .noise) { x, step in model(x, Tensor.full([x.shape[0]], Float(step.time))) }
/// let images = DDIM().sample(noise, denoiser, along: try process.steps(20), random: &random)
/// ```
public struct Denoiser {
  /// x: [B, ...] and the step, with time and noise level → the prediction, [B, ...].
  public typealias Network = (_ x: Tensor, _ step: NoiseStep) -> Tensor

  public let prediction: Prediction
  /// Thresholding of the estimated data; for images, whose range is known. None by default.
  public var threshold: Threshold = .none
  /// Data that are known in part, for inpainting; nil for none.
  public var known: KnownData?
  private let network: Network

  public init(predicting prediction: Prediction, _ network: @escaping Network) {
    self.prediction = prediction
    self.network = network
  }

  /// The estimated data and noise of x. The noise follows from the data after thresholding.
  public func callAsFunction(_ x: Tensor, at step: NoiseStep) -> Estimate {
    let output = network(x, step)
    // A network with a learned variance has twice the channels: the prediction, then the fraction.
    guard output.shape == x.shape || (x.rank >= 2 && output.shape[1] == 2 * x.shape[1]) else {
      preconditionFailure("Denoiser: a prediction of shape \(output.shape) for samples of shape \(x.shape)")
    }
    let parts = output.shape == x.shape ? [output] : output.split([x.shape[1], x.shape[1]], axis: 1)
    var estimate = prediction.estimate(parts[0], x: x, level: step.level)
    if threshold != .none || known != nil {
      var kept = threshold.apply(to: estimate.data)
      if let known { kept = known.imposed(on: kept) }
      if step.level.sigma > 0 { estimate = Prediction.data.estimate(kept, x: x, level: step.level) }
      estimate.data = kept
    }
    if parts.count == 2 { estimate.varianceFraction = parts[1] }
    return estimate
  }

  /// The network's own prediction.
  func output(_ x: Tensor, at step: NoiseStep) -> Tensor { network(x, step) }

  /// ∇ₓ ln p(x) = -ε̂/σ.
  public func score(_ x: Tensor, at step: NoiseStep) -> Tensor { (-1 / step.level.sigma) * self(x, at: step).noise }
}

extension Denoiser {
  /// Classifier-free guidance (Ho & Salimans 2022): u + w·(c - u), where c is this denoiser's prediction with a
  /// condition, and u that of `unconditional` without.
  ///
  /// The scale is the one of diffusers and of Stable Diffusion: **1 is off**, the conditional model as it is; 0 is the
  /// unconditional model; more than 1 amplifies the condition. (The paper's own scale is w - 1.) At 0 and 1 only one of
  /// the two is evaluated.
  public func guided(by scale: Double, against unconditional: Denoiser) -> Denoiser {
    precondition(
      prediction == unconditional.prediction,
      "guidance between predictions of \(prediction.rawValue) and of \(unconditional.prediction.rawValue)")
    if scale == 1 { return self }
    if scale == 0 { return unconditional }
    var result = Denoiser(predicting: prediction) { x, step in
      let (c, u) = (network(x, step), unconditional.network(x, step))
      return u + scale * (c - u)
    }
    (result.threshold, result.known) = (threshold, known)
    return result
  }

  /// Estimates that keep to known data where there are some: with any sampler, the rest is filled in to suit them.
  public func keeping(_ known: KnownData?) -> Denoiser {
    var result = self
    result.known = known
    return result
  }

  public func thresholded(_ threshold: Threshold) -> Denoiser {
    var result = self
    result.threshold = threshold
    return result
  }
}

/// Data of which a part is known.
///
/// At every step the estimated data are replaced by the known ones where they are known, and the noise follows: the known
/// part of a sample is then at every level the known data with noise, which the network sees while it fills in the rest
/// (the replacement method of Song et al. 2021, appendix I.2, applied to the estimate).
public struct KnownData: Sendable {
  /// [1 or B, ...], as the network sees data.
  public var data: Tensor
  /// 1 where they are known, else 0; of the shape of `data` or one that repeats to it.
  public var mask: Tensor

  public init(_ data: Tensor, where mask: Tensor) { (self.data, self.mask) = (data, mask) }

  func imposed(on x: Tensor) -> Tensor { x + mask * (data - x) }
}

/// Keeps estimated data within the known range of the data. Wrong for data without one: points, tables.
public enum Threshold: Sendable, Hashable, Codable {
  case none
  /// Each number within ±limit.
  case clip(limit: Double = 1)
  /// Of each sample the quantile s of |x|, at least 1 and at most `ceiling`; clip to ±s and divide by s (Saharia et al.
  /// 2022, "Imagen": dynamic thresholding).
  case dynamic(quantile: Double = 0.995, ceiling: Double = 1)

  func apply(to x: Tensor) -> Tensor {
    switch self {
    case .none: return x
    case .clip(let limit): return x.clamped(to: Float(-limit)...Float(limit))
    case .dynamic(let quantile, let ceiling):
      let rows = x.shape[0]
      let sizes = x.stopGradient().abs().reshaped([rows, -1])
      let scales = (0..<rows).map { row in
        min(max(interpolatedQuantile(sizes[row].array(of: Double.self), quantile), 1), max(ceiling, 1))
      }
      let scale = perRow(scales, like: x)
      return Tensor.maximum(Tensor.minimum(x, scale), -scale) / scale
    }
  }
}

/// The quantile with linear interpolation between the sorted numbers, as in NumPy and torch.
func interpolatedQuantile(_ numbers: [Double], _ quantile: Double) -> Double {
  let sorted = numbers.sorted()
  let place = quantile * Double(sorted.count - 1)
  let lower = Int(place)
  let upper = min(lower + 1, sorted.count - 1)
  return sorted[lower] + (place - Double(lower)) * (sorted[upper] - sorted[lower])
}
