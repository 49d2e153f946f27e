/// The sizes of a ``UNet``: those of diffusers' UNet2DModel that vary in practice.
public struct UNetConfiguration: Sendable, Hashable, Codable {
  /// Height and width of the images; other multiples of 2^(levels - 1) work too.
  public var sampleSize: Int
  public var inputChannels: Int
  /// Twice the input channels for a learned variance.
  public var outputChannels: Int
  /// Channels at each resolution, the finest first.
  public var blockChannels: [Int]
  /// Residual blocks at each resolution of the down path; one more in the up path.
  public var layersPerBlock: Int
  /// Which resolutions have attention.
  public var attentionLevels: [Bool]
  /// Whether the lowest resolution has attention between its blocks.
  public var middleAttention: Bool
  /// Channels of one attention head; nil for one head.
  public var headSize: Int?
  public var normGroups: Int
  public var normEpsilon: Float
  /// The number of classes, including "no class" if guidance is used; 0 for none.
  public var classCount: Int
  /// Whether cos comes before sin in the time embedding.
  public var cosineFirst: Bool
  public var frequencyShift: Double
  /// The width of the text that cross-attention sees, after each self-attention; nil for none, as `UNet2DModel` has it.
  public var contextSize: Int?

  public init(
    sampleSize: Int, inputChannels: Int = 1, outputChannels: Int? = nil, blockChannels: [Int] = [32, 64, 64],
    layersPerBlock: Int = 2, attentionLevels: [Bool]? = nil, middleAttention: Bool = true, headSize: Int? = 8,
    normGroups: Int = 8, normEpsilon: Float = 1e-5, classCount: Int = 0, cosineFirst: Bool = true,
    frequencyShift: Double = 0, contextSize: Int? = nil
  ) {
    self.sampleSize = sampleSize
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels ?? inputChannels
    self.blockChannels = blockChannels
    self.layersPerBlock = layersPerBlock
    // None at the finest resolution, where it would be the most expensive.
    self.attentionLevels = attentionLevels ?? blockChannels.indices.map { $0 > 0 }
    self.middleAttention = middleAttention
    self.headSize = headSize
    self.normGroups = normGroups
    self.normEpsilon = normEpsilon
    self.classCount = classCount
    self.cosineFirst = cosineFirst
    self.frequencyShift = frequencyShift
    self.contextSize = contextSize
  }

  /// The width of the time embedding.
  var embeddingWidth: Int { 4 * blockChannels[0] }

  /// - Throws: ``DiffusionError`` naming the invalid field.
  public func validate() throws(DiffusionError) {
    func check(_ holds: Bool, _ field: String, _ problem: @autoclosure () -> String) throws(DiffusionError) {
      if !holds { throw .invalid(field: field, problem()) }
    }
    try check(!blockChannels.isEmpty, "block channels", "none")
    try check(
      attentionLevels.count == blockChannels.count, "attention levels",
      "\(attentionLevels.count) for \(blockChannels.count) resolutions")
    try check(
      inputChannels > 0 && outputChannels > 0 && layersPerBlock > 0 && classCount >= 0, "channels and layers",
      "must be positive")
    try check(frequencyShift == 0 || frequencyShift == 1, "frequency shift", "\(frequencyShift); must be 0 or 1")
    try check(normGroups > 0, "norm groups", "\(normGroups); must be positive")
    for channels in blockChannels {
      try check(channels > 0 && channels % 2 == 0, "block channels", "\(channels); must be positive and even")
      try check(channels % normGroups == 0, "norm groups", "\(normGroups) do not divide \(channels) channels")
      if let headSize {
        try check(
          headSize > 0 && headSize <= 256 && channels % headSize == 0, "head size",
          "\(headSize) does not divide \(channels) channels, or is not in 1 ... 256")
      }
    }
    let shrinking = 1 << (blockChannels.count - 1)
    try check(
      sampleSize > 0 && sampleSize % shrinking == 0, "sample size",
      "\(sampleSize) is not a multiple of \(shrinking), by which \(blockChannels.count) resolutions shrink it")
  }
}
