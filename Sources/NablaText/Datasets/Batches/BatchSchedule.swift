import Synchronization

/// Which sequences make up each batch of a run: a function of the seed and the step, so that a run can resume at any
/// step.
///
/// ```swift
/// let schedule = BatchSchedule(
///   lengths: examples.map { $0.tokens.count - 1 }, layout: .packed(rowLength: 512), batchSize: 8, seed: 42)
/// let batch = SequenceBatch(schedule.rows(step: 0).map { $0.map { examples[$0] } })
/// ```
public final class BatchSchedule: Sendable {
  public enum Layout: Sendable, Equatable {
    /// Several sequences per row, as many as fit (best-fit decreasing); rows are shuffled. For models that support
    /// segments.
    case packed(rowLength: Int)
    /// One sequence per row, batched with others of similar length, so that there is little padding; batches are
    /// shuffled.
    case grouped
  }

  public let lengths: [Int]
  public let layout: Layout
  /// Rows of a batch. The last batch of an epoch may have fewer.
  public let batchSize: Int
  public let seed: UInt64
  /// Batches in an epoch: the same in each.
  public let stepsPerEpoch: Int
  /// The batches of the most recently requested epoch.
  private let recent: Mutex<(epoch: Int, batches: [[[Int]]])>

  /// - Parameters:
  ///   - lengths: The tokens of each sequence in a row.
  ///   - layout: Packed, or grouped by length.
  ///   - batchSize: Rows of a batch.
  ///   - seed: Of the order, which each epoch draws anew.
  public init(lengths: [Int], layout: Layout, batchSize: Int, seed: UInt64) {
    precondition(!lengths.isEmpty && batchSize > 0, "BatchSchedule: no sequences, or a batch size of \(batchSize)")
    (self.lengths, self.layout, self.batchSize, self.seed) = (lengths, layout, batchSize, seed)
    let first = Self.batches(epoch: 0, lengths, layout, batchSize, seed)
    stepsPerEpoch = first.count
    recent = Mutex((0, first))
  }

  /// The rows of a batch, each a list of indices of sequences. Steps continue through the epochs.
  public func rows(step: Int) -> [[Int]] {
    precondition(step >= 0, "BatchSchedule: step \(step)")
    let epoch = step / stepsPerEpoch
    return recent.withLock { recent in
      if recent.epoch != epoch {
        recent = (epoch, Self.batches(epoch: epoch, lengths, layout, batchSize, seed))
      }
      return recent.batches[step % stepsPerEpoch]
    }
  }

  private static func batches(
    epoch: Int, _ lengths: [Int], _ layout: Layout, _ batchSize: Int, _ seed: UInt64
  ) -> [[[Int]]] {
    let order = shuffled(Array(lengths.indices), seed, stream: UInt64(epoch) << 1)
    switch layout {
    case .packed(let rowLength):
      let rows = packed(lengths, into: rowLength, order: order)
      return cut(shuffled(rows, seed, stream: UInt64(epoch) << 1 | 1), batchSize)
    case .grouped:
      // Sorted in groups of 50 batches, so that batches stay random (as in Hugging Face's length grouping).
      let batches = cut(order, batchSize * 50).flatMap { part in
        cut(part.sorted { (lengths[$0], $0) > (lengths[$1], $1) }, batchSize)
      }
      return shuffled(batches, seed, stream: UInt64(epoch) << 1 | 1).map { batch in batch.map { [$0] } }
    }
  }

  private static func shuffled<Element>(_ items: [Element], _ seed: UInt64, stream: UInt64) -> [Element] {
    let permutation = Permutation(count: items.count, seed: seed, stream: stream)
    return items.indices.map { items[permutation[$0]] }
  }

  private static func cut<Element>(_ items: [Element], _ size: Int) -> [[Element]] {
    stride(from: 0, to: items.count, by: size).map { Array(items[$0..<min($0 + size, items.count)]) }
  }
}
