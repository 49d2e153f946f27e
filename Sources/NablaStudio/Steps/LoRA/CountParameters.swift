extension LoRAStep {
  /// Numbers to train: all of a square matrix, or two slim factors.
  struct Count: Encodable {
    /// Of one matrix: d², 2dr, and their ratio d/2r.
    var full, low: Int
    var ratio: Double
    /// Of all matrices in all layers.
    var matrices, fullOfAll, lowOfAll: Int
    /// Bytes of a training in float32 with Adam: weights, gradients and two moments.
    var fullBytes, lowBytes: Double
    /// The share of a model of 175 billion parameters; nil where d is not its width.
    var shareOfGPT3: Double?
  }

  static let count = Computation.answer("count") { query, _ in
    let d = try query.integer("d", in: 1...65_536, default: 12_288)
    let r = try query.integer("r", in: 1...4096, default: 8)
    if r > d { throw StudioError("a rank of \(r) is more than a matrix of \(d) × \(d) has") }
    let matrices = try query.integer("layers", in: 1...200, default: 96) * query.integer("each", in: 1...7, default: 2)
    let (full, low) = (d * d, d * r + r * d)
    let bytes = 4.0 * 4
    return Count(
      full: full, low: low, ratio: Double(full) / Double(low), matrices: matrices, fullOfAll: matrices * full,
      lowOfAll: matrices * low, fullBytes: bytes * Double(matrices * full), lowBytes: bytes * Double(matrices * low),
      shareOfGPT3: d == 12_288 ? Double(matrices * low) / 175e9 : nil)
  }.recorded(
    ["1", "2", "4", "8", "16", "64", "256"].flatMap { r in ["768", "4096", "12288"].map { ["r": r, "d": $0] } })
}
