/// A low-rank update of a linear layer's weight (Hu et al. 2021): y = x·Wᵀ + b + s·(x·Aᵀ)·Bᵀ.
///
/// It is never multiplied out: it costs r·(in + out) multiplications per row.
public struct LowRankUpdate: Sendable {
  /// A: [r, in].
  public var down: Tensor
  /// B: [out, r].
  public var up: Tensor
  /// s.
  public var scale: Float

  public init(down: Tensor, up: Tensor, scale: Float) { (self.down, self.up, self.scale) = (down, up, scale) }

  var rank: Int { down.shape[0] }
}

/// The updates of layers with one input, in the compute type: h = x·[s₁A₁; s₂A₂; …]ᵀ for all of them, then yᵢ += hᵢ·Bᵢᵀ.
struct LowRankProduct {
  private struct Part {
    /// The layer's columns in y, and those of its update in h.
    var columns, ranks: Range<Int>
    var up: Tensor
  }

  private let parts: [Part]
  /// [R, in]: R is the sum of the ranks.
  private let down: Tensor
  /// s of each column of h, [R].
  private let scales: Tensor
  private var rank: Int { down.shape[0] }

  /// Nil without any update.
  ///
  /// - Parameters:
  ///   - updates: of each layer, or nil where it has none.
  ///   - widths: the layers' outputs.
  init?(_ updates: [LowRankUpdate?], widths: [Int], inputs: Int, type: DType) {
    var (parts, downs, scales): ([Part], [Tensor], [Float]) = ([], [], [])
    var column = 0
    for (update, width) in zip(updates, widths) {
      defer { column += width }
      guard let update else { continue }
      precondition(
        update.down.shape == [update.rank, inputs] && update.up.shape == [width, update.rank],
        "linear: a low-rank update \(update.up.shape) · \(update.down.shape) of a weight [\(width), \(inputs)]")
      let ranks = scales.count..<scales.count + update.rank
      parts.append(
        Part(columns: column..<column + width, ranks: ranks, up: update.up.stopGradient().computeCopy(type)))
      downs.append(update.down.stopGradient().computeCopy(type))
      scales += Array(repeating: update.scale, count: update.rank)
    }
    guard !parts.isEmpty else { return nil }
    self.parts = parts
    down = downs.count == 1 ? downs[0] : .concatenate(downs)
    self.scales = Tensor(scales)
  }

  /// h: [rows, R], for x [rows, in] in the compute type.
  func narrow(_ x: Tensor, rows: Int) -> Tensor {
    let h = Tensor(uninitialized: [rows, rank])
    MatrixProduct(m: rows, n: rank, k: down.shape[1]).run(.matrix(x), .matrix(down, transposed: true), into: h)
    return (h * scales).cast(x.dtype)
  }

  /// y += h·Bᵀ, for rows of y that hold `width` numbers.
  func add(_ h: Tensor, to y: Tensor, rows: Int, width: Int) {
    for part in parts {
      MatrixProduct(m: rows, n: part.columns.count, k: part.ranks.count).run(
        .columns(h, from: part.ranks.lowerBound, rowStride: rank), .matrix(part.up, transposed: true), into: y,
        startC: part.columns.lowerBound, rowStrideC: width, accumulating: true)
    }
  }

  /// The gradient of the narrow product before scaling, s·dy·B: [rows, R].
  func narrowGradient(_ dy: Tensor, rows: Int, width: Int) -> Tensor {
    let dh = Tensor(uninitialized: [rows, rank])
    for part in parts {
      MatrixProduct(m: rows, n: part.ranks.count, k: part.columns.count).run(
        .columns(dy, from: part.columns.lowerBound, rowStride: width), .matrix(part.up), into: dh,
        startC: part.ranks.lowerBound, rowStrideC: rank)
    }
    return (dh * scales).cast(dy.dtype)
  }

  /// dx = dh·A, or dx += .
  func inputGradient(_ dh: Tensor, rows: Int, into dx: Tensor, accumulating: Bool) {
    MatrixProduct(m: rows, n: down.shape[1], k: rank).run(
      .matrix(dh), .matrix(down), into: dx, accumulating: accumulating)
  }

  /// The gradients of the i-th update's factors: dA = dhᵀ·x and dB = dyᵀ·h. x is needed if A has a node.
  func factorGradients(
    _ i: Int, down: Node?, up: Node?, x: Tensor?, h: Tensor, dy: Tensor, dh: Tensor?, rows: Int, width: Int
  ) {
    let part = parts[i]
    up?.accumulate(inPlace: { target, adds in
      MatrixProduct(m: part.columns.count, n: part.ranks.count, k: rows).run(
        .columns(dy, from: part.columns.lowerBound, rowStride: width, transposed: true),
        .columns(h, from: part.ranks.lowerBound, rowStride: rank), into: target, accumulating: adds)
    })
    down?.accumulate(inPlace: { target, adds in
      MatrixProduct(m: part.ranks.count, n: self.down.shape[1], k: rows).run(
        .columns(dh!, from: part.ranks.lowerBound, rowStride: rank, transposed: true), .matrix(x!), into: target,
        accumulating: adds)
    })
  }
}
