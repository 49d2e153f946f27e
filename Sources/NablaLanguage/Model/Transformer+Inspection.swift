import NablaNN
import NablaTensor

/// A part of a block that can be left out, to see what it is good for.
public struct BlockSwitches: Sendable, Hashable {
  /// Layers that pass on what they are given.
  public var skippedLayers: Set<Int> = []
  /// Whether a sublayer's result is added to what it was given, or replaces it.
  public var hasResiduals = true
  /// Whether sublayers see the stream normalized, or as it is.
  public var hasNorms = true

  public init(skippedLayers: Set<Int> = [], hasResiduals: Bool = true, hasNorms: Bool = true) {
    (self.skippedLayers, self.hasResiduals, self.hasNorms) = (skippedLayers, hasResiduals, hasNorms)
  }
}

/// Looking into a model while it reads.
extension Transformer {
  /// The residual stream of tokens [B, T]: what the first block gets, and what each block makes of it, each [B, T, C].
  ///
  /// - Precondition: The blocks have no cross-attention and no modulation; switches are for norms before sublayers.
  public func residualStream(_ tokens: Tensor, switches: BlockSwitches = BlockSwitches()) -> [Tensor] {
    withoutGradient {
      let rotary = rotary(positions: tokens.shape[1])
      var stream = [embed(tokens)]
      for (i, block) in blocks.enumerated() {
        let x = stream[i]
        if switches.skippedLayers.contains(i) {
          stream.append(x)
        } else if switches.hasResiduals && switches.hasNorms {
          var none: RandomSource?
          stream.append(block(x, rotary: rotary, computeType: computeType, random: &none))
        } else {
          precondition(configuration.normPlacement == .pre, "residualStream: switches need norms before sublayers")
          var y = x
          for sublayer in [
            (block.attentionNorm, { block.attention($0, rotary: rotary, residual: $1) }),
            (block.feedForwardNorm, { block.feedForward($0, residual: $1) }),
          ] as [(Norm, (Tensor, Tensor?) -> Tensor)] {
            let input = switches.hasNorms ? sublayer.0(y, output: computeType) : y.cast(computeType)
            y = sublayer.1(input, switches.hasResiduals ? y : nil).cast(.float32)
          }
          stream.append(y)
        }
      }
      return stream
    }
  }

  /// Queries [B, T, H, D], keys and values [B, T, G, D] that layer `index` makes of its stream [B, T, C].
  ///
  /// - Parameters:
  ///   - index: 0 ..< the number of layers.
  ///   - stream: The residual stream before the layer, [B, T, C].
  ///   - offset: The position of the first token.
  public func heads(layer index: Int, of stream: Tensor, offset: Int = 0) -> (
    queries: Tensor, keys: Tensor, values: Tensor
  ) {
    withoutGradient {
      let block = blocks[index]
      let time = stream.shape[1]
      let input = configuration.normPlacement == .pre ? block.attentionNorm(stream, output: computeType) : stream
      let positions = Tensor(
        (0..<stream.shape[0]).flatMap { _ in (0..<time).map { Int32(offset + $0) } }, [stream.shape[0], time])
      return block.attention.heads(
        input, rotary: rotary(positions: offset + time), positions: offset == 0 ? nil : positions)
    }
  }

  /// The stream as the output layer gets it: [B, T, C].
  public func normalizedForOutput(_ stream: Tensor) -> Tensor {
    withoutGradient { finalNorm?(stream, output: computeType) ?? stream.cast(computeType) }
  }
}
