/// Where the memory of a training goes, in bytes.
///
/// Mixed precision with AdamW: weights and gradients in 16 bits, a float32 copy of the weights and two moments (16 bytes
/// a parameter; Rajbhandari et al. 2020, section 3.1). Activations after Korthikanti et al. (2022), 16 bits, of
/// sequences of length s, b at a time, width h, a heads:
///
///     all kept                         s·b·h·(34 + 5·a·s/h) a layer
///     attention computed again         34·s·b·h             (flash attention does this by itself)
///     the whole layer computed again    2·s·b·h
public struct TrainingMemory: Sendable, Hashable {
  public var weights: Double
  public var gradients: Double
  /// The float32 copy and both moments.
  public var optimizer: Double
  public var activations: Double
  public var activationsSelective: Double
  public var activationsFull: Double

  /// - Parameter sequences: b, those whose activations are there at a time: the micro-batch.
  public init(_ shape: TransformerShape, sequences: Int) {
    let n = Double(shape.parameterCount)
    weights = 2 * n
    gradients = 2 * n
    optimizer = 12 * n
    let (layers, heads) = (Double(shape.layerCount), Double(shape.headCount))
    let (s, h) = (Double(shape.context), Double(shape.width))
    let sbh = s * Double(sequences) * h * layers
    activations = sbh * (34 + 5 * heads * s / h)
    activationsSelective = 34 * sbh
    activationsFull = 2 * sbh
  }

  /// Weights, gradients and optimizer.
  public var state: Double { weights + gradients + optimizer }
}

extension TransformerShape {
  /// Bytes of the key/value cache of one sequence of `context` tokens, in 16 bits, with so many key/value heads:
  /// 2·L·G·D·T numbers.
  public func cacheBytes(keyValueHeads: Int? = nil) -> Double {
    2 * 2 * Double(layerCount) * Double(keyValueHeads ?? keyValueHeadCount) * Double(headSize) * Double(context)
  }
}
