import NablaNN
import NablaTensor

/// The network of denoising diffusion (Ho et al. 2020): a down path through lower and lower resolutions and an
/// up path, with skip connections at each resolution. Parameter for parameter diffusers' `UNet2DModel`.
public final class UNet: Module {
  @Named("conv_in") var input: Conv2d
  @Named("time_embedding") var time: TimeMLP
  @Named("class_embedding") var classes: Embedding?
  @Named("down_blocks") var down: [UNetDownBlock]
  @Named("mid_block") var middle: UNetMiddleBlock
  @Named("up_blocks") var up: [UNetUpBlock]
  @Named("conv_norm_out") var outputNorm: GroupNorm
  @Named("conv_out") var output: Conv2d
  public let configuration: UNetConfiguration

  /// - Throws: ``DiffusionError`` for sizes that do not fit each other.
  public init(_ configuration: UNetConfiguration, random: inout RandomSource) throws(DiffusionError) {
    try configuration.validate()
    self.configuration = configuration
    super.init()
    let c = configuration
    let (channels, last) = (c.blockChannels, c.blockChannels.count - 1)
    input = Conv2d(c.inputChannels, channels[0], kernel: 3, random: &random)
    time = TimeMLP(channels[0], c.embeddingWidth, random: &random)
    classes = c.classCount == 0 ? nil : Embedding(c.classCount, c.embeddingWidth, random: &random)
    // The channels of every state of the down path, the input's first.
    var states = [channels[0]]
    down = []
    for (i, width) in channels.enumerated() {
      down.append(
        UNetDownBlock(
          states.last!, width, attends: c.attentionLevels[i], shrinks: i < last, c, random: &random))
      states += Array(repeating: width, count: c.layersPerBlock + (i < last ? 1 : 0))
    }
    middle = UNetMiddleBlock(channels[last], c, random: &random)
    up = []
    for (i, width) in channels.enumerated().reversed() {
      let skips = (0...c.layersPerBlock).map { _ in states.removeLast() }
      up.append(
        UNetUpBlock(
          channels[min(i + 1, last)], width, skips: skips, attends: c.attentionLevels[i], grows: i > 0, c,
          random: &random))
    }
    outputNorm = GroupNorm(channels[0], groups: c.normGroups, epsilon: c.normEpsilon)
    output = Conv2d(channels[0], c.outputChannels, kernel: 3, random: &random)
  }

  /// x: [B, channels, H, W], times: [B] in steps (0 … 999 for a process of a thousand) → [B, output channels, H, W].
  ///
  /// - Parameters:
  ///   - x: [B, channels, H, W], noisy images; H and W are multiples of the total downsampling.
  ///   - times: [B] in steps.
  ///   - labels: [B] int32, for networks with classes.
  ///   - context: texts, for networks with cross-attention.
  public func callAsFunction(
    _ x: Tensor, _ times: Tensor, labels: Tensor? = nil, context: TextContext? = nil
  ) -> Tensor {
    let c = configuration
    let shrinking = 1 << (c.blockChannels.count - 1)
    precondition(
      x.rank == 4 && x.shape[1] == c.inputChannels && x.shape[2] % shrinking == 0 && x.shape[3] % shrinking == 0,
      "UNet: images of shape \(x.shape) for \(c.inputChannels) channels and sides that are multiples of \(shrinking)")
    precondition(
      (labels == nil) == (classes == nil), "UNet: labels are \(labels == nil ? "missing" : "not supported here")")
    precondition(
      (context == nil) == (c.contextSize == nil), "UNet: text is \(context == nil ? "missing" : "not supported here")"
    )
    var embedding = time(
      sinusoidalTimeEmbedding(
        times, width: c.blockChannels[0], cosineFirst: c.cosineFirst, frequencyShift: c.frequencyShift))
    if let classes, let labels { embedding = embedding + classes(labels) }
    embedding = embedding.silu()
    var states = [input(x)]
    for block in down { states += block(states.last!, embedding, context) }
    var h = middle(states.last!, embedding, context)
    for block in up { h = block(h, &states, embedding, context) }
    return output(outputNorm(h).silu())
  }
}

/// W₂·silu(W₁·x): the time embedding from the sinusoids of a time.
final class TimeMLP: Module {
  @Named("linear_1") var first: Linear
  @Named("linear_2") var second: Linear

  init(_ inputs: Int, _ width: Int, random: inout RandomSource) {
    super.init()
    first = Linear(inputs, width, random: &random)
    second = Linear(width, width, random: &random)
  }

  func callAsFunction(_ x: Tensor) -> Tensor { second(first(x).silu()) }
}
