import NablaLanguage
import NablaNN
import NablaTensor

extension AttentionStep {
  /// Positions as rotations: a query at m and a key at n meet at an angle that depends on m − n only.
  struct Rotary: Encodable {
    /// Radians a position for each pair of dimensions: base^(−2i/d).
    var frequencies: [Double]
    /// The pairs (x, y) of a query at position m and a key at position n, rotated.
    var query, key: [[Float]]
    /// Their dot product, and that of the same two, both moved by the shift.
    var score, shifted: Double
    /// The dot products for all positions below 24, of query (rows) and key: constant along diagonals.
    var grid: StudioTensor
    /// The largest change of a weight of the model's head when its whole text stands `shift` positions later; nil where
    /// the model's positions are no rotations.
    var modelChange: Double?
    var largestModelWeight: Double?
  }

  static let rotary = Computation.answer("rotary") { query, studio in
    let (m, n) = (try query.integer("m", in: 0...60, default: 12), try query.integer("n", in: 0...60, default: 4))
    let shift = try query.integer("shift", in: 0...1000, default: 100)
    let base = try query.number("base", in: 2...1_000_000, default: 100)
    var random = RandomSource(seed: try query.seed())
    let size = 8
    let frequencies = rotaryFrequencies(size: size, base: base).frequencies
    let table = RotaryTable(frequencies: frequencies, positions: 1100, pairing: .interleaved)
    let (q, k) = (random.normal([1, 1, size]), random.normal([1, 1, size]))
    func at(_ position: Int, _ x: Tensor) -> [Float] {
      x.rotary(table, heads: 1, headSize: size, positions: Tensor([Int32(position)])).array()
    }
    func product(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
    let (queries, keys) = ((0..<24).map { at($0, q) }, (0..<24).map { at($0, k) })
    let change = try studio.model.use { try modelChange(query, $0, shift: shift) }
    return Rotary(
      frequencies: frequencies, query: pairs(at(m, q)), key: pairs(at(n, k)), score: product(at(m, q), at(n, k)),
      shifted: product(at(m + shift, q), at(n + shift, k)),
      grid: StudioTensor(queries.flatMap { q in keys.map { Float(product(q, $0)) } }, [24, 24]),
      modelChange: change?.change, largestModelWeight: change?.weight)
  }

  private static func pairs(_ x: [Float]) -> [[Float]] {
    stride(from: 0, to: x.count, by: 2).map { [x[$0], x[$0 + 1]] }
  }

  /// How much the weights of the chosen head change when all positions grow by `shift`.
  private static func modelChange(
    _ query: StudioQuery, _ loaded: StudioModel.Loaded, shift: Int
  ) throws -> (change: Double, weight: Double)? {
    guard loaded.facts.isRotary else { return nil }
    let (ids, _, _) = try read(query, loaded)
    guard ids.count + shift <= loaded.facts.context else { return nil }
    let (layer, _) = try chosenHead(query, loaded)
    let stream = loaded.stream(of: ids)[layer]
    let (before, after) = ([0, shift] as [Int]).map { offset -> [Float] in
      let heads = loaded.model.backbone.heads(layer: layer, of: stream, offset: offset)
      return Tensor.attentionWeights(queries: heads.queries, keys: heads.keys, mask: .causal).array()
    }.pair
    return (Double(zip(before, after).map { abs($0 - $1) }.max() ?? 0), Double(before.max() ?? 0))
  }
}

extension Array {
  fileprivate var pair: (Element, Element) { (self[0], self[1]) }
}
