import NablaFormats

/// Decides, before a step changes anything, whether it should be taken.
///
/// A step is bad when its loss or gradient norm is non-finite, or when one of them has exploded: far above the median
/// of the recent good steps, both in units of their spread (median absolute deviation, scaled to a standard deviation)
/// and as a multiple of the median. Bad steps are skipped; several in a row mean that training has diverged.
///
/// Of exploded gradient norms only the first in a row is bad, as the fault of its batch. If the next batch has one too,
/// it is the weights': skipping leaves them as they are, while a clipped step leads away.
///
/// The bounds are deliberately loose: gradient clipping handles ordinary spikes, and skipping a good step costs
/// more than it saves. The state is a value and is saved in checkpoints.
///
/// ```swift
/// switch spikeGuard.judge(loss: loss, gradientNorm: norm) {
/// case .take: optimizer.update(model, with: gradients)
/// case .skip(let reason): progress.message("step skipped: \(reason)")
/// case .stop(let reason): throw Diverged(reason)
/// }
/// ```
public struct SpikeGuard: Codable, Sendable, Equatable {
  public enum Verdict: Equatable, Sendable {
    case take
    case skip(reason: String)
    /// The step is bad, and so were those before it: end the training.
    case stop(reason: String)
  }

  /// Good steps remembered; default 64.
  public var windowSize: Int
  /// Good steps needed before a finite value can be called exploded; default 16.
  public var minimumHistory: Int
  /// Bad steps in a row after which to stop; default 5.
  public var patience: Int
  /// Distance above the median, in standard deviations, that an exploded value exceeds; default 10.
  public var deviations: Double
  /// Distance above the median, in multiples of the median's magnitude, that an exploded loss exceeds; default 0.5.
  public var lossMargin: Double
  /// Multiple of the median that an exploded gradient norm exceeds; default 10.
  public var normFactor: Double
  /// Gradient norms up to this are never called exploded; default 1, the usual clipping norm.
  public var normFloor: Double

  /// Bad steps since the last good one.
  public private(set) var consecutiveBadSteps = 0
  /// Bad steps since the start.
  public private(set) var totalBadSteps = 0
  private var losses: [Double] = []
  private var norms: [Double] = []
  /// Whether the last step's gradient norm exploded; nil in checkpoints of earlier versions.
  private var lastNormExploded: Bool?

  public init(
    windowSize: Int = 64, minimumHistory: Int = 16, patience: Int = 5, deviations: Double = 10,
    lossMargin: Double = 0.5, normFactor: Double = 10, normFloor: Double = 1
  ) {
    precondition(
      windowSize >= minimumHistory && minimumHistory >= 1 && patience >= 1,
      "SpikeGuard: needs windowSize >= minimumHistory >= 1 and patience >= 1")
    self.windowSize = windowSize
    self.minimumHistory = minimumHistory
    self.patience = patience
    self.deviations = deviations
    self.lossMargin = lossMargin
    self.normFactor = normFactor
    self.normFloor = normFloor
  }

  /// Judges a step by its loss and the norm of its gradient before clipping, and records it.
  public mutating func judge(loss: Double, gradientNorm: Double) -> Verdict {
    let normExploded = explodes(gradientNorm: gradientNorm)
    defer { lastNormExploded = normExploded }
    guard let reason = fault(loss: loss, gradientNorm: gradientNorm, normExploded: normExploded) else {
      consecutiveBadSteps = 0
      remember(loss, in: &losses)
      remember(gradientNorm, in: &norms)
      return .take
    }
    consecutiveBadSteps += 1
    totalBadSteps += 1
    if consecutiveBadSteps < patience { return .skip(reason: reason) }
    return .stop(reason: "\(consecutiveBadSteps) bad steps in a row; the last: \(reason)")
  }

  private func explodes(gradientNorm: Double) -> Bool {
    guard norms.count >= minimumHistory else { return false }
    let (median, spread) = Self.medianAndSpread(norms)
    return gradientNorm > max(median + deviations * spread, normFactor * median, normFloor)
  }

  private func fault(loss: Double, gradientNorm: Double, normExploded: Bool) -> String? {
    if !loss.isFinite { return "the loss is \(loss)" }
    if !gradientNorm.isFinite { return "the gradient norm is \(gradientNorm)" }
    guard losses.count >= minimumHistory else { return nil }

    let (lossMedian, lossSpread) = Self.medianAndSpread(losses)
    if loss > lossMedian + max(deviations * lossSpread, lossMargin * lossMedian.magnitude) {
      return "the loss jumped to \(significant(loss, digits: 4)) from around \(significant(lossMedian, digits: 4))"
    }
    if normExploded, lastNormExploded != true {
      return "the gradient norm jumped to \(significant(gradientNorm, digits: 4)) from around "
        + significant(Self.median(norms), digits: 4)
    }
    return nil
  }

  private func remember(_ value: Double, in window: inout [Double]) {
    if window.count == windowSize { window.removeFirst() }
    window.append(value)
  }

  /// The median, and 1.4826 times the median absolute deviation: the standard deviation, for normal values.
  static func medianAndSpread(_ values: [Double]) -> (median: Double, spread: Double) {
    let center = median(values)
    return (center, 1.4826 * median(values.map { ($0 - center).magnitude }))
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
