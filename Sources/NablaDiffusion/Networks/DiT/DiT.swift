import Glibc
import NablaNN
import NablaTensor

/// A diffusion transformer (Peebles & Xie 2023): the patches of an image are the positions of a transformer, which is
/// conditioned on time, class and text by the scale and shift of its norms and by cross-attention.
public final class DiT: Module {
  @Named("patch_embedding") var patches: Linear
  @Named("time_embedding") var time: TimeMLP
  @Named("class_embedding") var classes: Embedding?
  @Named("blocks") var blocks: [DiTBlock]
  @Named("final_modulation") var finalModulation: Linear
  @Named("final_layer") var final: Linear
  public let configuration: DiTConfiguration
  /// [1, T, width].
  private let positions: Tensor

  /// - Throws: ``DiffusionError`` for sizes that do not fit each other.
  public init(_ configuration: DiTConfiguration, random: inout RandomSource) throws(DiffusionError) {
    try configuration.validate()
    self.configuration = configuration
    let c = configuration
    positions = patchPositions(c.sampleSize / c.patchSize, width: c.hiddenSize)
    super.init()
    let patch = c.patchSize * c.patchSize
    patches = Linear(c.channels * patch, c.hiddenSize, random: &random)
    time = TimeMLP(256, c.hiddenSize, random: &random)
    classes =
      c.classCount == 0
      ? nil : Embedding(c.classCount + 1, c.hiddenSize, standardDeviation: 0.02, random: &random)
    blocks = []
    for _ in 0..<c.depth { blocks.append(DiTBlock(c, random: &random)) }
    finalModulation = Linear(c.hiddenSize, 2 * c.hiddenSize, bias: true, standardDeviation: 0, random: &random)
    final = Linear(c.hiddenSize, c.outputChannels * patch, bias: true, standardDeviation: 0, random: &random)
  }

  /// x: [B, channels, size, size], times: [B] → [B, output channels, size, size].
  ///
  /// - Parameters:
  ///   - x: [B, channels, size, size], noisy images.
  ///   - times: [B], on the scale of the objective.
  ///   - labels: [B] int32, `classCount` meaning "no class".
  ///   - context: texts, for networks with cross-attention.
  public func callAsFunction(
    _ x: Tensor, _ times: Tensor, labels: Tensor? = nil, context: TextContext? = nil
  ) -> Tensor {
    let c = configuration
    precondition(
      x.rank == 4 && Array(x.shape.dropFirst()) == [c.channels, c.sampleSize, c.sampleSize],
      "DiT: images of shape \(x.shape) for \(c.channels) channels of \(c.sampleSize) × \(c.sampleSize)")
    precondition(
      (labels == nil) == (classes == nil), "DiT: labels are \(labels == nil ? "missing" : "not supported here")")
    precondition(
      (context == nil) == (c.contextSize == nil), "DiT: texts are \(context == nil ? "missing" : "not supported here")")
    var embedding = time(sinusoidalTimeEmbedding(c.timeScale * times, width: 256))
    if let classes, let labels { embedding = embedding + classes(labels) }
    embedding = embedding.silu()
    var h = patches(patched(x)) + positions
    for block in blocks { h = block(h, embedding, context: context) }
    let m = finalModulation(embedding).expandedDimension(at: 1).split([c.hiddenSize, c.hiddenSize], axis: 2)
    return unpatched(final(modulated(h.layerNorm(epsilon: 1e-6), shift: m[0], scale: m[1])))
  }

  /// [B, C, H, W] → [B, patches, C·p·p].
  private func patched(_ x: Tensor) -> Tensor {
    let (p, side) = (configuration.patchSize, configuration.sampleSize / configuration.patchSize)
    return x.reshaped([x.shape[0], configuration.channels, side, p, side, p]).transposed(0, 2, 4, 1, 3, 5)
      .reshaped([x.shape[0], side * side, configuration.channels * p * p])
  }

  /// [B, patches, C·p·p] → [B, C, H, W].
  private func unpatched(_ y: Tensor) -> Tensor {
    let c = configuration
    let (p, side) = (c.patchSize, c.sampleSize / c.patchSize)
    return y.reshaped([y.shape[0], side, side, c.outputChannels, p, p]).transposed(0, 3, 1, 4, 2, 5)
      .reshaped([y.shape[0], c.outputChannels, c.sampleSize, c.sampleSize])
  }
}

/// Sinusoids of the row in one half of the width, of the column in the other: [1, side², width].
private func patchPositions(_ side: Int, width: Int) -> Tensor {
  let quarter = width / 4
  var numbers: [Float] = []
  for row in 0..<side {
    for column in 0..<side {
      for place in [row, column] {
        let angles = (0..<quarter).map { Double(place) / pow(10000, Double($0) / Double(quarter)) }
        numbers += angles.map { Float(sin($0)) } + angles.map { Float(cos($0)) }
      }
    }
  }
  return Tensor(numbers, [1, side * side, width])
}
