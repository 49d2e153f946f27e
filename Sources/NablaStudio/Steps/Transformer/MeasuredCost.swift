import NablaNN
import NablaTensor
import NablaTraining

extension TransformerStep {
  /// What attention and feed-forward take on this computer, measured.
  struct Cost: Encodable {
    var width, heads: Int
    var contexts: [Int]
    /// Milliseconds of one pass over a text of T tokens: mixing (Q Kᵀ, softmax, weights · V), which is O(T² C), and the
    /// feed-forward layers, which are O(T C²).
    var mixing, feedForward: [Double]
    /// Floating-point operations of the same by count: 4 T² C and 16 T C².
    var mixingOperations, feedForwardOperations: [Double]
    /// Where the counts are equal: T = 4 C.
    var crossing: Int
  }

  static let cost = Computation.answer("cost") { query, _ in
    let width = try query.integer("width", in: 64...512, default: 256)
    let headSize = 64
    guard width % headSize == 0 else {
      throw StudioError("width must be a multiple of the head size, \(headSize)", given: "\(width)")
    }
    let heads = width / headSize
    var random = RandomSource(seed: 1)
    let layer = FeedForward(
      width: width, hidden: 4 * width, kind: .gelu, bias: false, standardDeviation: 0.02, outputDeviation: 0.02,
      random: &random)
    let contexts = [64, 128, 256, 512, 1024, 2048, 4096]
    var (mixing, feedForward) = ([Double](), [Double]())
    for context in contexts {
      let x = random.normal([1, context, width])
      let q = x.reshaped([1, context, heads, headSize])
      mixing.append(milliseconds { _ = Tensor.attention(queries: q, keys: q, values: q) })
      feedForward.append(milliseconds { _ = layer(x) })
    }
    let c = Double(width)
    return Cost(
      width: width, heads: heads, contexts: contexts, mixing: mixing, feedForward: feedForward,
      mixingOperations: contexts.map { 4 * Double($0) * Double($0) * c },
      feedForwardOperations: contexts.map { 16 * Double($0) * c * c }, crossing: 4 * width)
  }

  /// The least of three: what the computer can do when nothing disturbs it.
  private static func milliseconds(_ body: () -> Void) -> Double {
    withoutGradient {
      (0..<3).map { _ in
        let start = monotonicSeconds()
        body()
        return 1000 * (monotonicSeconds() - start)
      }.min()!
    }
  }
}
