import NablaNN
import NablaTensor

/// The backbone of a language model: token embeddings, blocks, and a final norm (with pre-norm blocks). It maps tokens
/// to hidden states; the model around it computes logits, a reward or a value from those.
///
/// ```swift
/// final class Scorer: Module {                            // a backbone and a head
///   @Named("model") var backbone: Transformer
///   @Named("score") var score: Linear
///   init(_ model: TransformerLM, random: inout RandomSource) {
///     super.init()
///     backbone = Transformer(copying: model.backbone)     // or model.backbone itself, shared
///     score = Linear(backbone.configuration.width, 1, bias: false, random: &random)
///   }
///   func callAsFunction(_ tokens: Tensor) -> Tensor { score(backbone(tokens)) }
/// }
/// ```
///
/// Parameter names are those of a Hugging Face Llama model (`embed_tokens`, `layers.0.self_attn.q_proj`, `norm`).
public final class Transformer: Module {
  @Named("embed_tokens") public var embedding: Embedding
  /// The table of learned positions: [context, width].
  @Named("embed_positions") public var learnedPositions: Embedding?
  @Named("layers") public var blocks: [TransformerBlock]
  @Named("norm") public var finalNorm: Norm?

  public let configuration: TransformerConfiguration
  /// The type of matrix multiplications: float32, or bfloat16 if the CPU has instructions for it.
  public var computeType: DType = .float32
  /// Activation checkpointing: whether blocks save only their inputs and are recomputed in the backward pass: less
  /// memory, a third more work.
  public var checkpointsActivations = false
  /// Cosines and sines of the positions used so far: all of a long context would take longer than loading the model.
  private var rotaryTable: RotaryTable?
  private let fixedPositions: Tensor?

  /// Weights are normal with standard deviation 0.02, those that add to the residual stream 0.02/√(2 · layers)
  /// (GPT-2); norms start at 1 and biases at 0.
  public init(_ configuration: TransformerConfiguration, random: inout RandomSource) {
    let c = configuration
    self.configuration = c
    fixedPositions = c.positions == .sinusoidal ? sinusoidalPositions(c.context, width: c.width) : nil
    super.init()
    embedding = Embedding(c.vocabularySize, c.width, standardDeviation: 0.02, random: &random)
    learnedPositions =
      c.positions == .learned ? Embedding(c.context, c.width, standardDeviation: 0.02, random: &random) : nil
    let outputDeviation = 0.02 / Float(2 * c.layerCount).squareRoot()
    blocks = (0..<c.layerCount).map { layer in
      TransformerBlock(c.block(layer: layer), outputDeviation: outputDeviation, random: &random)
    }
    finalNorm = c.normPlacement == .pre ? Norm(c.width, kind: c.norm, epsilon: c.normEpsilon) : nil
  }

  /// A backbone with a copy of the parameters: memory is shared until one of them is trained.
  /// Replaced layers (adapters) are not copied.
  public convenience init(copying other: Transformer) {
    var random = RandomSource.unset
    self.init(other.configuration, random: &random)
    computeType = other.computeType
    checkpointsActivations = other.checkpointsActivations
    takeParameters(of: other)
  }

  /// Hidden states of every position.
  ///
  /// - Parameters:
  ///   - tokens: [B, T] int32.
  ///   - segments: the examples of a packed batch: each is processed as if it were alone. T may then
  ///     exceed the context, but an example may not.
  ///   - positions: [B, T] int32, the position of each token; those of `segments`, or 0..<T, if nil.
  ///   - random: the random source of dropout; nil outside training.
  /// - Returns: [B, T, C] in `computeType`.
  public func callAsFunction(
    _ tokens: Tensor, segments: Segments? = nil, positions: Tensor? = nil, random: RandomSource? = nil
  ) -> Tensor {
    precondition(tokens.rank == 2, "a batch of token sequences [B, T], not \(tokens.shape)")
    let positions = positions ?? segments?.positions
    precondition(
      positions.map { $0.shape == tokens.shape } ?? true, "positions \(positions!.shape) of tokens \(tokens.shape)")
    let count = positions.map { Int($0.array(of: Int32.self).max() ?? -1) + 1 } ?? tokens.shape[1]
    precondition(count <= configuration.context, "\(count) positions in a context of \(configuration.context)")
    var random = random
    var x = embed(tokens, at: positions)
    if configuration.dropout > 0, random != nil { x = x.dropout(configuration.dropout, random: &random!) }
    return hidden(
      x, rotary: rotary(positions: count), positions: positions, segments: segments, cache: nil, random: random)
  }

  /// Hidden states of new positions of some sequences of a cache, each of which its tokens continue.
  ///
  /// - Parameters:
  ///   - parts: sequences, each at most once, with their new tokens.
  ///   - cache: holds the sequences, and takes the keys and values of the new tokens.
  /// - Returns: [R, C] in `computeType`: the rows of all parts, one after the other.
  public func read(_ parts: [(sequence: KeyValueCache.Sequence, tokens: [Int32])], _ cache: KeyValueCache) -> Tensor {
    let furthest = parts.map { cache.length($0.sequence) + $0.tokens.count }.max() ?? 0
    precondition(furthest <= configuration.context, "\(furthest) positions in a context of \(configuration.context)")
    let step = cache.extend(parts.map { ($0.sequence, $0.tokens.count) })
    return withoutGradient {
      let tokens = Tensor(parts.flatMap(\.tokens))
      let x = embed(tokens.reshaped([1, tokens.count]), at: step.positions)
      let y = hidden(
        x, rotary: rotary(positions: furthest), positions: nil, segments: nil, cache: step, random: nil)
      return y.reshaped([tokens.count, configuration.width])
    }
  }

  private func hidden(
    _ x: Tensor, rotary: RotaryTable?, positions: Tensor?, segments: Segments?, cache: KeyValueCache.Step?,
    random: RandomSource?
  ) -> Tensor {
    var (x, random) = (x, random)
    for (i, block) in blocks.enumerated() {
      // Each block has its own random stream, so that recomputing it draws the same numbers.
      let blockRandom = random?.split()
      let computeType = computeType
      func run(_ x: Tensor) -> Tensor {
        var random = blockRandom
        return block(
          x, rotary: rotary, positions: positions, segments: segments, computeType: computeType,
          cache: cache?.layer(i), random: &random)
      }
      x = checkpointsActivations ? checkpoint([x]) { run($0[0]) } : run(x)
    }
    return finalNorm?(x, output: computeType) ?? x.cast(computeType)
  }

  /// tokens: [B, T] → [B, T, C], with positions where they are added. `rows`: each token's position; nil where they are
  /// 0..<T in each sequence.
  func embed(_ tokens: Tensor, at rows: Tensor? = nil) -> Tensor {
    func chosen(_ table: Tensor) -> Tensor { rows.map { table.gather($0) } ?? table[0..<tokens.shape[1]] }
    var x = embedding(tokens)
    if let learnedPositions { x = x + chosen(learnedPositions.weight) }
    if let fixedPositions {
      // The original transformer scales embeddings to the magnitude of the encoding, which is about 1.
      x = x.scaledShifted(Float(configuration.width).squareRoot(), 0) + chosen(fixedPositions)
    }
    return x
  }

  /// A table of at least `count` positions, where they are rotary.
  func rotary(positions count: Int) -> RotaryTable? {
    let c = configuration
    guard c.positions == .rotary else { return nil }
    if let rotaryTable, rotaryTable.positions >= count { return rotaryTable }
    let (frequencies, scale) = rotaryFrequencies(
      size: c.headSize, base: c.rotaryBase, scaling: c.rotaryScaling, context: c.context)
    var size = 256
    while size < count { size *= 2 }
    rotaryTable = RotaryTable(frequencies: frequencies, positions: min(size, c.context), scale: scale)
    return rotaryTable
  }

  /// An empty cache for this model.
  public func makeCache(_ type: CacheType = .bfloat16) -> KeyValueCache {
    KeyValueCache(configuration.attention(), layers: configuration.layerCount, type: type)
  }

  /// Attention weights of every layer for one sequence: one [H, T, T] tensor per layer, by the exact formula.
  public func attentionWeights(_ tokens: Tensor) -> [Tensor] {
    withoutGradient {
      var x = embed(tokens)
      let rotary = rotary(positions: tokens.shape[1])
      return blocks.map { block in
        let input = configuration.normPlacement == .pre ? block.attentionNorm(x) : x
        let weights = block.attention.weights(input, rotary: rotary)
        var none: RandomSource?
        x = block(x, rotary: rotary, random: &none)
        return weights[0]
      }
    }
  }

  /// The model's position encoding, as a table or as cosines: [positions, dimensions].
  public func positionTable() -> Tensor {
    if let learnedPositions { return learnedPositions.weight.stopGradient() }
    return fixedPositions ?? rotary(positions: configuration.context)!.cosineTable
  }
}

extension Module {
  /// Sets each parameter to that of the same name in `other`. Memory is shared until one of the two is
  /// trained.
  func takeParameters(of other: Module) {
    let values = Dictionary(uniqueKeysWithValues: other.parameters().map { ($0.name, $0.value) })
    for parameter in parameters() {
      guard let value = values[parameter.name] else {
        preconditionFailure("copying: the model has no \(parameter.name): merge what replaced it first")
      }
      parameter.value = value
    }
  }
}
