import Glibc
import NablaNN
import NablaTensor

/// A transformer language model: embeddings, blocks, a final norm (with pre-norm blocks), and an output layer.
///
/// Parameter names are those of a Hugging Face Llama checkpoint.
public final class TransformerLM: Module {
  @Named("model.embed_tokens") public private(set) var embedding: Embedding
  /// The table of learned positions: [context, width].
  @Named("model.embed_positions") public private(set) var learnedPositions: Embedding?
  @Named("model.layers") public private(set) var blocks: [TransformerBlock]
  @Named("model.norm") public private(set) var finalNorm: Norm?
  @Named("lm_head") private var untiedOutput: Linear?

  public let configuration: TransformerConfiguration
  /// The type that products run in: float32, or bfloat16 where the CPU has instructions for it.
  public var computeType: DType = .float32
  /// Whether blocks keep only their inputs for the backward pass and run again in it: less memory, a third more work.
  public var checkpointsActivations = false
  /// Cosines and sines of the positions met so far: all of a long context would take longer than loading the model.
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
    untiedOutput =
      c.tieEmbeddings
      ? nil : Linear(c.width, c.vocabularySize, bias: false, standardDeviation: 0.02, random: &random)
  }

  /// A model whose parameters have shapes and no values: all must be loaded before it is used.
  static func unset(_ configuration: TransformerConfiguration) -> TransformerLM {
    var random = RandomSource.unset
    return TransformerLM(configuration, random: &random)
  }

  /// Hidden states of every position, ready for the output layer.
  ///
  /// - Parameters:
  ///   - tokens: [B, T] int32.
  ///   - random: draws for dropout; nil outside training.
  /// - Returns: [B, T, C] in `computeType`.
  public func callAsFunction(_ tokens: Tensor, random: RandomSource? = nil) -> Tensor {
    precondition(tokens.rank == 2, "a batch of token sequences [B, T], not \(tokens.shape)")
    var random = random
    var x = embed(tokens)
    if configuration.dropout > 0, random != nil { x = x.dropout(configuration.dropout, random: &random!) }
    return hidden(x, rotary: rotary(positions: tokens.shape[1]), cache: nil, random: random)
  }

  /// Hidden states of new positions of some sequences of a cache, each of which its tokens continue.
  ///
  /// - Parameter parts: sequences, each at most once, with their new tokens.
  /// - Returns: [R, C] in `computeType`: the rows of all parts, one after the other.
  public func read(_ parts: [(sequence: KeyValueCache.Sequence, tokens: [Int32])], _ cache: KeyValueCache) -> Tensor {
    let furthest = parts.map { cache.length($0.sequence) + $0.tokens.count }.max() ?? 0
    precondition(furthest <= configuration.context, "\(furthest) positions in a context of \(configuration.context)")
    let step = cache.extend(parts.map { ($0.sequence, $0.tokens.count) })
    return withoutGradient {
      let tokens = Tensor(parts.flatMap(\.tokens))
      let x = embed(tokens.reshaped([1, tokens.count]), at: step.positions)
      let y = hidden(x, rotary: rotary(positions: furthest), cache: step, random: nil)
      return y.reshaped([tokens.count, configuration.width])
    }
  }

  private func hidden(_ x: Tensor, rotary: RotaryTable?, cache: KeyValueCache.Step?, random: RandomSource?) -> Tensor {
    var (x, random) = (x, random)
    for (i, block) in blocks.enumerated() {
      // Each block draws from a stream of its own, so that running it again draws the same.
      let blockRandom = random?.split()
      let computeType = computeType
      func run(_ x: Tensor) -> Tensor {
        var random = blockRandom
        return block(x, rotary: rotary, computeType: computeType, cache: cache?.layer(i), random: &random)
      }
      x = checkpointsActivations ? checkpoint([x]) { run($0[0]) } : run(x)
    }
    return finalNorm?(x, output: computeType) ?? x.cast(computeType)
  }

  /// tokens: [B, T] → [B, T, C], with positions where they are added. `rows`: each token's position; nil where they are
  /// 0..<T in each sequence.
  private func embed(_ tokens: Tensor, at rows: Tensor? = nil) -> Tensor {
    let time = tokens.shape[1]
    precondition(
      rows != nil || time <= configuration.context, "\(time) positions in a context of \(configuration.context)")
    func chosen(_ table: Tensor) -> Tensor { rows.map { table.gather($0) } ?? table[0..<time] }
    var x = embedding(tokens)
    if let learnedPositions { x = x + chosen(learnedPositions.weight) }
    if let fixedPositions {
      // The original scales embeddings to the size of the encoding, which is about 1.
      x = x.scaledShifted(Float(configuration.width).squareRoot(), 0) + chosen(fixedPositions)
    }
    return x
  }

  /// A table of at least `count` positions, where they are rotary.
  private func rotary(positions count: Int) -> RotaryTable? {
    let c = configuration
    guard c.positions == .rotary else { return nil }
    if let rotaryTable, rotaryTable.positions >= count { return rotaryTable }
    let (frequencies, scale) = rotaryFrequencies(size: c.headSize, base: c.rotaryBase, scaling: c.rotaryScaling)
    var size = 256
    while size < count { size *= 2 }
    rotaryTable = RotaryTable(frequencies: frequencies, positions: min(size, c.context), scale: scale)
    return rotaryTable
  }

  /// The output layer's weight: [V, C].
  public var outputWeight: Tensor { untiedOutput?.weight ?? embedding.weight }

  /// The types of the weights that rows are multiplied with.
  var weightTypes: Set<DType> {
    let matrices = blocks.flatMap { $0.parameters().map(\.value) }.filter { $0.rank == 2 } + [outputWeight]
    return Set(matrices.map(\.dtype))
  }

  /// Scores of every token at each position. hidden: [..., C] → [..., V] float32.
  public func logits(_ hidden: Tensor) -> Tensor { hidden.linear(outputWeight, output: .float32) }

  /// Mean cross-entropy of the next tokens in nats. tokens, targets: [B, T] int32; targets of -100 do not count.
  public func loss(
    _ tokens: Tensor, targets: Tensor, options: CrossEntropyOptions = .init(), random: RandomSource? = nil
  ) -> Tensor {
    self(tokens, random: random).linearCrossEntropy(outputWeight, targets: targets, options: options)
  }

  /// An empty cache for this model.
  public func makeCache(_ type: CacheType = .bfloat16) -> KeyValueCache {
    KeyValueCache(configuration.attention(), layers: configuration.layerCount, type: type)
  }

  /// Attention weights of every layer for one sequence: one [H, T, T] tensor a layer, by the exact formula.
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

  /// The table or the angles by which the model tells positions apart: [positions, dimensions].
  public func positionTable() -> Tensor {
    if let learnedPositions { return learnedPositions.weight.stopGradient() }
    return fixedPositions ?? rotary(positions: configuration.context)!.cosineTable
  }

  /// Floating-point operations of the model for one token, forward and backward, by the usual count: 6 for each weight
  /// that multiplies, and 12 · H · D for each of the (T + 1)/2 positions that causal attention reaches on average, each
  /// layer. A window is not taken into account.
  public var trainingFlopsPerToken: Double {
    let c = configuration
    let positionRows = c.positions == .learned ? c.context * c.width : 0
    let lookup = c.tieEmbeddings ? 0 : c.vocabularySize * c.width
    let weights = parameterCount - positionRows - lookup
    let attention = 6 * c.layerCount * c.headCount * c.headSize * (c.context + 1)
    return Double(6 * weights + attention)
  }
}
