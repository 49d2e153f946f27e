/// Windows of a data set to train or evaluate on; row-major, `[batchSize, context]`.
public struct TokenBatch: Sendable, Equatable {
  /// The target of a position that does not count (PyTorch's `ignore_index`).
  public static let ignoredTarget: Int32 = -100

  /// [B, T]
  public var inputs: [Int32]
  /// [B, T]: the token after each input.
  public var targets: [Int32]
  public let batchSize: Int
  public let context: Int
  /// Targets that count.
  public var targetCount: Int

  /// Windows of `context` inputs that begin at `starts`.
  init(_ dataset: TokenDataset, starts: [Int], context: Int) {
    batchSize = starts.count
    self.context = context
    targetCount = batchSize * context
    inputs = Array(repeating: 0, count: batchSize * context)
    targets = Array(repeating: 0, count: batchSize * context)
    Self.fill(&inputs, dataset, starts, context, shift: 0)
    Self.fill(&targets, dataset, starts, context, shift: 1)
  }

  /// One row for each of `rows`; rows that are short are padded with token 0 and targets that do not count.
  init(_ dataset: TokenDataset, rows: [Range<Int>], batchSize: Int, context: Int) {
    self.batchSize = batchSize
    self.context = context
    targetCount = rows.reduce(0) { $0 + $1.count }
    inputs = Array(repeating: 0, count: batchSize * context)
    targets = Array(repeating: Self.ignoredTarget, count: batchSize * context)
    for (row, range) in rows.enumerated() {
      for (column, position) in range.enumerated() {
        inputs[row * context + column] = dataset[position]
        targets[row * context + column] = dataset[position + 1]
      }
    }
  }

  private static func fill(
    _ tokens: inout [Int32], _ dataset: TokenDataset, _ starts: [Int], _ context: Int, shift: Int
  ) {
    tokens.withUnsafeMutableBufferPointer { tokens in
      for (row, start) in starts.enumerated() {
        dataset.copy(
          from: start + shift,
          to: UnsafeMutableBufferPointer(rebasing: tokens[(row * context)..<((row + 1) * context)]))
      }
    }
  }
}
