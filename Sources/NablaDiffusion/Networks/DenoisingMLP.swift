import NablaNN
import NablaTensor

/// A multilayer perceptron for points and tables: each hidden layer gets the layer before it and the time.
///
///     h₀ = W_in·x + e(t)        h ← h + W₂·silu(W₁·silu(h) + V·e(t))        output = W_out·silu(h)
public final class DenoisingMLP: Module {
  let input: Linear
  let timeFeatures: FourierTimeFeatures
  let time: Linear
  let blocks: [Block]
  let output: Linear
  /// [labels + 1, width]: the last row is "no label", for guidance; nil without labels.
  let labels: Embedding?
  public let timeScale: Double
  private let labelCount: Int

  final class Block: Module {
    let first: Linear
    let time: Linear
    let second: Linear

    init(_ width: Int, random: inout RandomSource) {
      first = Linear(width, width, random: &random)
      time = Linear(width, width, random: &random)
      second = Linear(width, width, random: &random)
    }

    func callAsFunction(_ h: Tensor, _ embedding: Tensor) -> Tensor {
      h + second((first(h.silu()) + time(embedding)).silu())
    }
  }

  /// - Parameters:
  ///   - dimensions: the dimensions of a data point.
  ///   - width: the hidden size.
  ///   - depth: the number of hidden layers.
  ///   - timeScale: scales the objective's times to about 0 … 1: 1/T for a discrete process of T steps, otherwise 1.
  ///   - labels: the number of classes of the data; 0 for none.
  ///   - random: draws the initial weights.
  public init(
    dimensions: Int, width: Int = 128, depth: Int = 3, timeScale: Double = 1, labels: Int = 0,
    random: inout RandomSource
  ) {
    precondition(dimensions > 0 && width > 0 && depth > 0, "DenoisingMLP: \(dimensions) × \(width) × \(depth)")
    input = Linear(dimensions, width, random: &random)
    timeFeatures = FourierTimeFeatures(32, random: &random)
    time = Linear(64, width, random: &random)
    var blocks: [Block] = []
    for _ in 0..<depth { blocks.append(Block(width, random: &random)) }
    self.blocks = blocks
    output = Linear(width, dimensions, bias: true, standardDeviation: 0, random: &random)
    self.labels = labels == 0 ? nil : Embedding(labels + 1, width, standardDeviation: 0.5, random: &random)
    self.timeScale = timeScale
    labelCount = labels
  }

  /// x: [B, dimensions], times: [B] → [B, dimensions].
  ///
  /// - Parameters:
  ///   - x: [B, dimensions], noisy data.
  ///   - times: [B], on the scale of the objective.
  ///   - labels: [B] int32; `labelCount` (and nil for all rows) means "no label".
  public func callAsFunction(_ x: Tensor, _ times: Tensor, labels: Tensor? = nil) -> Tensor {
    var embedding = time(timeFeatures(timeScale * times)).silu()
    if let table = self.labels {
      let unknown = Tensor(Array(repeating: Int32(labelCount), count: x.shape[0]))
      embedding = embedding + table(labels ?? unknown)
    } else {
      precondition(labels == nil, "DenoisingMLP: labels for a network without classes")
    }
    var h = input(x) + embedding
    for block in blocks { h = block(h, embedding) }
    return output(h.silu())
  }
}
