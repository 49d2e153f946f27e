import NablaTensor

/// Windows at independent uniform positions, as in nanoGPT.
///
/// The batch of a step is a function of (seed, step) and nothing else: training that resumes at step k sees the same
/// data as without the stop. Row r of step s begins at ⌊x · (n − T) / 2⁶⁴⌋, where n is the number of tokens, T the
/// context, and x the first 64 bits of Philox4x32-10 with key `seed`, counter s and stream r.
public struct RandomWindows: Sendable {
  public let dataset: TokenDataset
  public let context: Int
  public let batchSize: Int
  public let seed: UInt64

  /// - Throws: ``CorpusError/tooShort(tokenCount:context:)``.
  public init(_ dataset: TokenDataset, context: Int, batchSize: Int, seed: UInt64) throws {
    try checkWindow(dataset, context, batchSize)
    self.dataset = dataset
    self.context = context
    self.batchSize = batchSize
    self.seed = seed
  }

  public func batch(step: Int) -> TokenBatch {
    let places = UInt64(dataset.count - context)
    let starts = (0..<batchSize).map { row in
      let random = philox(key: seed, counter: UInt64(step), stream: UInt64(row))
      return Int(random.multipliedFullWidth(by: places).high)
    }
    return TokenBatch(dataset, starts: starts, context: context)
  }
}

/// Every window of an epoch once, in an order reshuffled for each epoch; windows do not overlap.
///
/// The dataset is split into ⌊(n − 1) / T⌋ windows from its start. Batches follow each other through the epochs
/// without a gap, so a batch may hold the end of one and the start of the next. Like ``RandomWindows``, a batch is a
/// function of (seed, step).
public struct ShuffledWindows: Sendable {
  public let dataset: TokenDataset
  public let context: Int
  public let batchSize: Int
  public let seed: UInt64
  /// Windows in an epoch.
  public let windowCount: Int

  /// - Throws: ``CorpusError/tooShort(tokenCount:context:)``.
  public init(_ dataset: TokenDataset, context: Int, batchSize: Int, seed: UInt64) throws {
    try checkWindow(dataset, context, batchSize)
    self.dataset = dataset
    self.context = context
    self.batchSize = batchSize
    self.seed = seed
    windowCount = (dataset.count - 1) / context
  }

  /// Steps after which every window of `epochs` epochs has been seen.
  public func stepCount(epochs: Int = 1) -> Int { (epochs * windowCount + batchSize - 1) / batchSize }

  public func batch(step: Int) -> TokenBatch {
    let first = step * batchSize
    let starts = (first..<(first + batchSize)).map { index in
      let shuffle = Permutation(count: windowCount, seed: seed, stream: UInt64(index / windowCount))
      return shuffle[index % windowCount] * context
    }
    return TokenBatch(dataset, starts: starts, context: context)
  }
}

/// Windows in order for evaluation: each token but the first is a target exactly once.
///
/// The last batch may have fewer rows, and its last row is padded with ``TokenBatch/ignoredTarget``.
public struct SequentialWindows: Sendable, Sequence {
  public let dataset: TokenDataset
  public let context: Int
  public let stride: Int
  public let batchSize: Int

  /// - Parameters:
  ///   - dataset: two tokens or more.
  ///   - context: tokens of a window.
  ///   - stride: tokens from the start of one window to that of the next, at most `context`; nil for `context`. Where
  ///     windows overlap, only targets that no earlier window had are counted.
  ///   - batchSize: windows of a batch.
  /// - Throws: ``CorpusError/tooShort(tokenCount:context:)`` when there is no token to predict.
  public init(_ dataset: TokenDataset, context: Int, stride: Int? = nil, batchSize: Int) throws {
    precondition(context > 0 && batchSize > 0, "windows: context \(context) and batch size \(batchSize) must be > 0")
    precondition(
      (1...context).contains(stride ?? context), "windows: a stride of \(stride!) for a context of \(context)")
    if dataset.count < 2 { throw CorpusError.tooShort(tokenCount: dataset.count, context: 1) }
    self.dataset = dataset
    self.context = context
    self.stride = stride ?? context
    self.batchSize = batchSize
  }

  private var targetCount: Int { dataset.count - 1 }
  private var rowCount: Int { 1 + (Swift.max(0, targetCount - context) + stride - 1) / stride }

  /// The total number of batches.
  public var batchCount: Int { (rowCount + batchSize - 1) / batchSize }

  public func batch(_ index: Int) -> TokenBatch {
    precondition((0..<batchCount).contains(index), "batch \(index) is outside 0..<\(batchCount)")
    let rows = (index * batchSize..<Swift.min((index + 1) * batchSize, rowCount)).map { row in
      let start = row * stride
      return (range: start..<Swift.min(start + context, targetCount), skipped: row == 0 ? 0 : context - stride)
    }
    return TokenBatch(dataset, rows: rows)
  }

  public func makeIterator() -> some IteratorProtocol<TokenBatch> {
    (0..<batchCount).lazy.map(batch).makeIterator()
  }
}

private func checkWindow(_ dataset: TokenDataset, _ context: Int, _ batchSize: Int) throws {
  precondition(context > 0 && batchSize > 0, "windows: context \(context) and batch size \(batchSize) must be > 0")
  if dataset.count < context + 1 { throw CorpusError.tooShort(tokenCount: dataset.count, context: context) }
}
