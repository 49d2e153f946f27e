/// The memory of training, in bytes.
///
/// Mixed precision with AdamW: weights and gradients in 16 bits, a float32 copy of the weights and two moments (16
/// bytes per parameter; Rajbhandari et al. 2020, section 3.1). Activations after Korthikanti et al. (2022), 16 bits,
/// for sequences of length s, batch size b, hidden size h, a heads:
///
///     all stored                       s·b·h·(34 + 5·a·s/h) per layer
///     attention recomputed             34·s·b·h             (flash attention does this by itself)
///     full recomputation                2·s·b·h
public struct TrainingMemory: Sendable, Hashable {
  public var weights: Double
  public var gradients: Double
  /// The float32 copy and both moments.
  public var optimizer: Double
  public var activations: Double
  public var activationsSelective: Double
  public var activationsFull: Double

  /// - Parameters:
  ///   - shape: of the model; its context is the length of a sequence.
  ///   - sequences: b, the micro-batch size.
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
  /// Bytes of the key/value cache of one sequence of `context` tokens, in 16 bits, with the given number of key/value
  /// heads: 2·L·G·D·T numbers.
  public func cacheBytes(keyValueHeads: Int? = nil) -> Double {
    2 * 2 * Double(layerCount) * Double(keyValueHeads ?? keyValueHeadCount) * Double(headSize) * Double(context)
  }
}
