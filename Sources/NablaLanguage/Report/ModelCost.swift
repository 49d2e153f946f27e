import NablaNN
import NablaTensor
import NablaTraining

/// What a model costs: the memory of its parameters and of what training keeps of a window, and the time of the two
/// halves of a layer by the length of the text, measured on the computer that trained it.
public struct ModelCost: Codable, Sendable, Equatable {
  /// Of one layer, forward, for one text.
  public struct Time: Codable, Sendable, Equatable {
    public var tokens: Int
    /// Seconds of Q Kᵀ, softmax, and weights · V.
    public var attention: Double
    /// Seconds of the feed-forward network.
    public var feedForward: Double
  }

  public var times: [Time]
  /// Operations by count: `attentionOperations` · T² and `feedForwardOperations` · T.
  public var attentionOperations: Double
  public var feedForwardOperations: Double
  public var parameters: Int
  /// In the precision in which they are trained, float32.
  public var parameterBytes: Int
  /// Tokens of the window whose activations were measured.
  public var window: Int
  /// What the forward pass of the window keeps for the backward pass.
  public var activationBytes: Int
  /// Of these, the residual stream [T, C] before each layer, in float32.
  public var streamBytes: Int

  /// Where both halves of a layer take equally many operations.
  public var crossing: Double { feedForwardOperations / attentionOperations }

  /// Takes a quarter of a second for a small model, as it stops at lengths that take long.
  package init(measuring model: TransformerLM) {
    let c = model.configuration
    parameters = model.parameterCount
    parameterBytes = 4 * parameters
    attentionOperations = 2 * Double(c.headCount * c.headSize)
    feedForwardOperations = Double((c.feedForward == .swiglu ? 6 : 4) * c.width * c.feedForwardWidth)
    window = c.context
    streamBytes = 4 * c.layerCount * c.width * window
    activationBytes = Self.activationBytes(model, window: window)
    times = Self.times(model)
  }

  private static func times(_ model: TransformerLM, longest: Double = 0.02) -> [Time] {
    let c = model.configuration
    var (times, random) = ([Time](), RandomSource(seed: 1))
    var tokens = 64
    repeat {
      let x = random.normal([1, tokens, c.width]).cast(model.computeType)
      func heads(_ count: Int) -> Tensor { random.normal([1, tokens, count, c.headSize]).cast(model.computeType) }
      let (q, k, v) = (heads(c.headCount), heads(c.keyValueHeadCount), heads(c.keyValueHeadCount))
      let mask = AttentionMask(causal: true, window: c.window)
      times.append(
        Time(
          tokens: tokens, attention: seconds { _ = Tensor.attention(queries: q, keys: k, values: v, mask: mask) },
          feedForward: seconds { _ = model.backbone.blocks[0].feedForward(x) }))
      tokens *= 2
    } while max(times.last!.attention, times.last!.feedForward) < longest && tokens <= 1 << 16
    return times
  }

  /// The least of three: what the computer can do when nothing disturbs it.
  private static func seconds(_ body: () -> Void) -> Double {
    withoutGradient {
      (0..<3).map { _ in
        let start = monotonicSeconds()
        body()
        return monotonicSeconds() - start
      }.min()!
    }
  }

  /// The bytes of tensors that live after the forward pass of one window and did not before.
  private static func activationBytes(_ model: TransformerLM, window: Int) -> Int {
    let tokens = Tensor([Int32](repeating: 0, count: window), [1, window])
    var bytes = 0
    _ = valueAndGradient(of: model) { model in
      let before = Memory.statistics.current
      let loss = model.loss(tokens, targets: tokens)
      bytes = Memory.statistics.current - before
      return loss
    }
    return max(0, bytes)
  }
}
