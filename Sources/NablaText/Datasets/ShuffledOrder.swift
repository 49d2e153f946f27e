/// The order of examples through shuffled epochs: each epoch has every example once, in a different order.
///
/// A cursor is a plain number, the examples seen so far, which checkpoints save.
public struct ShuffledOrder: Sendable {
  public let count: Int
  public let seed: UInt64

  public init(count: Int, seed: UInt64) {
    precondition(count > 0, "ShuffledOrder: count \(count) must be positive")
    (self.count, self.seed) = (count, seed)
  }

  /// The index of the example after `cursor` others.
  public subscript(cursor: Int) -> Int {
    Permutation(count: count, seed: seed, stream: UInt64(cursor / count))[cursor % count]
  }
}
