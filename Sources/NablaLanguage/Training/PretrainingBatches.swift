import NablaText

/// The micro-batches of a run by their number: windows at random positions, or all windows shuffled in epochs.
struct PretrainingBatches {
  private enum Source {
    case random(RandomWindows)
    case shuffled(ShuffledWindows)
  }
  private let source: Source
  /// The number of steps of the epochs; nil without epochs.
  let steps: Int?

  init(_ data: TokenDataset, context: Int, _ c: PretrainingConfiguration) throws {
    if let epochs = c.epochs {
      let windows = try ShuffledWindows(data, context: context, batchSize: c.batchSize, seed: c.seed)
      source = .shuffled(windows)
      steps = (windows.stepCount(epochs: epochs) + c.gradientAccumulation - 1) / c.gradientAccumulation
    } else {
      source = .random(try RandomWindows(data, context: context, batchSize: c.batchSize, seed: c.seed))
      steps = nil
    }
  }

  subscript(index: Int) -> TokenBatch {
    get throws {
      switch source {
      case .random(let windows): windows.batch(step: index)
      case .shuffled(let windows): windows.batch(step: index)
      }
    }
  }
}
