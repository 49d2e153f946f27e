import NablaTensor

/// Windows of a dataset to train or evaluate on.
public struct TokenBatch: Sendable {
  /// The target of an ignored position (PyTorch's `ignore_index`).
  public static let ignoredTarget: Int32 = -100

  /// [B, T] int32.
  public let inputs: Tensor
  /// [B, T] int32: the token after each input.
  public let targets: Tensor
  /// The number of targets that are not ignored.
  public let targetCount: Int

  /// Windows of `context` inputs that begin at `starts`.
  init(_ dataset: TokenDataset, starts: [Int], context: Int) {
    targetCount = starts.count * context
    func windows(shift: Int) -> Tensor {
      let tokens = Tensor(uninitialized: [starts.count, context], dtype: .int32)
      for (row, start) in starts.enumerated() {
        dataset.copy(
          from: start + shift, to: UnsafeMutableBufferPointer(start: tokens.integers + row * context, count: context))
      }
      return tokens
    }
    inputs = windows(shift: 0)
    targets = windows(shift: 1)
  }

  /// One row for each of `rows`, as wide as the longest: shorter ones are padded with token 0 and ignored targets.
  /// The first `skipped` targets of a row are ignored too.
  init(_ dataset: TokenDataset, rows: [(range: Range<Int>, skipped: Int)]) {
    targetCount = rows.reduce(0) { $0 + $1.range.count - $1.skipped }
    let context = rows.map(\.range.count).max() ?? 0
    var inputs = [Int32](repeating: 0, count: rows.count * context)
    var targets = [Int32](repeating: Self.ignoredTarget, count: rows.count * context)
    for (row, (range, skipped)) in rows.enumerated() {
      for (column, position) in range.enumerated() {
        inputs[row * context + column] = dataset[position]
        if column >= skipped { targets[row * context + column] = dataset[position + 1] }
      }
    }
    self.inputs = Tensor(inputs, [rows.count, context])
    self.targets = Tensor(targets, [rows.count, context])
  }
}
