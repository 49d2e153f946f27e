/// The sizes of a ``DiT``.
public struct DiTConfiguration: Sendable, Hashable, Codable {
  /// Height and width of the images.
  public var sampleSize: Int
  public var channels: Int
  /// Twice the channels for a learned variance.
  public var outputChannels: Int
  /// Height and width of a patch, which becomes one position.
  public var patchSize: Int
  public var hiddenSize: Int
  public var depth: Int
  public var headCount: Int
  /// The ratio of the feed-forward hidden size to that of the network.
  public var feedForwardRatio: Int
  /// The number of classes, without the additional one for "no class"; 0 for none.
  public var classCount: Int
  /// The width of the text states for cross-attention; nil for no cross-attention.
  public var contextSize: Int?
  /// Scales the objective's times to about 0 … 1000: 1 for a discrete process of a thousand steps, 1000 for a flow.
  public var timeScale: Double

  public init(
    sampleSize: Int, channels: Int = 1, outputChannels: Int? = nil, patchSize: Int = 2, hiddenSize: Int = 128,
    depth: Int = 6, headCount: Int = 4, feedForwardRatio: Int = 4, classCount: Int = 0, contextSize: Int? = nil,
    timeScale: Double = 1
  ) {
    self.sampleSize = sampleSize
    self.channels = channels
    self.outputChannels = outputChannels ?? channels
    self.patchSize = patchSize
    self.hiddenSize = hiddenSize
    self.depth = depth
    self.headCount = headCount
    self.feedForwardRatio = feedForwardRatio
    self.classCount = classCount
    self.contextSize = contextSize
    self.timeScale = timeScale
  }

  /// - Throws: ``DiffusionError`` naming the invalid field.
  public func validate() throws(DiffusionError) {
    guard channels > 0, outputChannels > 0, depth > 0, feedForwardRatio > 0, classCount >= 0 else {
      throw .invalid(field: "channels and depth", "must be positive")
    }
    guard patchSize > 0, sampleSize > 0, sampleSize % patchSize == 0 else {
      throw .invalid(field: "patch size", "\(patchSize) does not divide images of \(sampleSize)")
    }
    guard headCount > 0, hiddenSize % headCount == 0, hiddenSize % 4 == 0 else {
      throw .invalid(field: "hidden size", "\(hiddenSize) must be a multiple of 4 and of the \(headCount) heads")
    }
    guard hiddenSize / headCount <= 256 else {
      throw .invalid(field: "head count", "\(headCount); heads of \(hiddenSize / headCount) are too large, at most 256")
    }
    if let contextSize, contextSize <= 0 { throw .invalid(field: "context size", "\(contextSize); must be positive") }
  }
}
