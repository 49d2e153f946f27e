import NablaNN
import NablaTensor

/// A transformer language model: a backbone, and an output layer that maps its hidden states to logits.
///
/// Parameter names are those of a Hugging Face Llama checkpoint.
public final class TransformerLM: Module {
  @Named("model") public var backbone: Transformer
  /// The output layer, unless it is tied to the embedding.
  @Named("lm_head") public var head: Linear?

  public var configuration: TransformerConfiguration { backbone.configuration }
  /// The type of matrix multiplications: float32, or bfloat16 if the CPU has instructions for it.
  public var computeType: DType {
    get { backbone.computeType }
    set { backbone.computeType = newValue }
  }
  /// Activation checkpointing: whether blocks save only their inputs and are recomputed in the backward pass: less
  /// memory, a third more work.
  public var checkpointsActivations: Bool {
    get { backbone.checkpointsActivations }
    set { backbone.checkpointsActivations = newValue }
  }

  /// See `Transformer.init`; the output layer's weights are normal with standard deviation 0.02.
  public init(_ configuration: TransformerConfiguration, random: inout RandomSource) {
    super.init()
    backbone = Transformer(configuration, random: &random)
    head =
      configuration.tieEmbeddings
      ? nil
      : Linear(
        configuration.width, configuration.vocabularySize, bias: false, standardDeviation: 0.02, random: &random)
  }

  /// A model with the same parameters, such as the reference of a preference loss: see `Transformer.init(copying:)`.
  public convenience init(copying other: TransformerLM) {
    var random = RandomSource.unset
    self.init(other.configuration, random: &random)
    computeType = other.computeType
    checkpointsActivations = other.checkpointsActivations
    takeParameters(of: other)
  }

  /// A model whose parameters have shapes but no values: all must be loaded before it is used.
  static func unset(_ configuration: TransformerConfiguration) -> TransformerLM {
    var random = RandomSource.unset
    return TransformerLM(configuration, random: &random)
  }

  /// Hidden states of every position, ready for the output layer: see `Transformer.callAsFunction`.
  ///
  /// - Returns: [B, T, C] in `computeType`.
  public func callAsFunction(
    _ tokens: Tensor, segments: Segments? = nil, positions: Tensor? = nil, random: RandomSource? = nil
  ) -> Tensor {
    backbone(tokens, segments: segments, positions: positions, random: random)
  }

  /// Hidden states of new positions of some sequences of a cache: see `Transformer.read`.
  public func read(_ parts: [(sequence: KeyValueCache.Sequence, tokens: [Int32])], _ cache: KeyValueCache) -> Tensor {
    backbone.read(parts, cache)
  }

  /// The weight [V, C] that hidden states are multiplied with; nil if the output layer must be called (it has
  /// been replaced).
  var fusedOutput: Tensor? {
    guard let head else { return backbone.embedding.weight }
    guard let parts = head.packable, parts.bias == nil, parts.update == nil else { return nil }
    return parts.weight
  }

  /// The output layer's weight: [V, C].
  public var outputWeight: Tensor { head?.weight ?? backbone.embedding.weight }

  /// The types of the weights that rows are multiplied with.
  var weightTypes: Set<DType> {
    let matrices = backbone.blocks.flatMap { $0.parameters().map(\.value) }.filter { $0.rank == 2 } + [outputWeight]
    return Set(matrices.map(\.dtype))
  }

  /// Logits of every token at each position. hidden: [..., C] → [..., V] float32.
  public func logits(_ hidden: Tensor) -> Tensor {
    head?(hidden, output: .float32) ?? hidden.linear(backbone.embedding.weight, output: .float32)
  }

  /// An empty cache for this model.
  public func makeCache(_ type: CacheType = .bfloat16) -> KeyValueCache { backbone.makeCache(type) }

  /// Attention weights of every layer for one sequence: one [H, T, T] tensor per layer, by the exact formula.
  public func attentionWeights(_ tokens: Tensor) -> [Tensor] { backbone.attentionWeights(tokens) }

  /// The model's position encoding, as a table or as cosines: [positions, dimensions].
  public func positionTable() -> Tensor { backbone.positionTable() }

  /// FLOPs of the model per token, forward and backward, by the usual count: 6 for each weight
  /// that multiplies, and 12 · H · D for each of the (T + 1)/2 positions that causal attention covers on average, per
  /// layer. A sliding window is not taken into account.
  public var trainingFlopsPerToken: Double {
    let c = configuration
    let positionRows = c.positions == .learned ? c.context * c.width : 0
    let lookup = c.tieEmbeddings ? 0 : c.vocabularySize * c.width
    let weights = parameterCount - positionRows - lookup
    let attention = 6 * c.layerCount * c.headCount * c.headSize * (c.context + 1)
    return Double(6 * weights + attention)
  }
}
