import NablaScaling

extension AttentionStep {
  /// What keys and values of a context take in memory, by how many heads share them.
  struct Cache: Encodable {
    struct Share: Encodable {
      /// G: key/value heads. H: multi-head; 1: multi-query; between: grouped-query attention.
      var keyValueHeads: Int
      var bytes: Double
    }
    var layers, heads, headSize, groups: Int
    var shares: [Share]
    /// Contexts, and the bytes that multi-head, the chosen number of groups and multi-query attention take there.
    var contexts: [Int]
    var multiHead, grouped, multiQuery: [Double]
  }

  /// Shapes as their model cards state them.
  enum CacheShape: String, CaseIterable { case this, llama8b, llama70b }

  static let cache = Computation.answer("cache") { query, studio in
    let kind: CacheShape = try query.choice("shape", default: .llama70b)
    let context = try query.integer("context", in: 1...4_194_304, default: 32_768)
    let shape: TransformerShape =
      switch kind {
      case .llama8b:
        TransformerShape(
          vocabularySize: 128_256, context: context, width: 4096, layerCount: 32, headCount: 32, keyValueHeadCount: 8,
          feedForwardWidth: 14_336, tieEmbeddings: false)
      case .llama70b:
        TransformerShape(
          vocabularySize: 128_256, context: context, width: 8192, layerCount: 80, headCount: 64, keyValueHeadCount: 8,
          feedForwardWidth: 28_672, tieEmbeddings: false)
      case .this:
        try studio.model.use { loaded in
          let f = loaded.facts
          return TransformerShape(
            vocabularySize: f.vocabulary, context: context, width: f.width, layerCount: f.layers, headCount: f.heads,
            keyValueHeadCount: f.keyValueHeads, headSize: f.headSize, tieEmbeddings: true)
        }
      }
    // How many query heads read one key/value head; no more than there are.
    let share = try query.integer("share", in: 1...64, default: shape.headCount / shape.keyValueHeadCount)
    let groups = (1...shape.headCount).last { shape.headCount % $0 == 0 && $0 * share <= shape.headCount } ?? 1
    let contexts = (7...20).map { 1 << $0 }
    func line(_ keyValueHeads: Int) -> [Double] {
      contexts.map { cacheBytes(shape, context: $0, keyValueHeads: keyValueHeads) }
    }
    return Cache(
      layers: shape.layerCount, heads: shape.headCount, headSize: shape.headSize, groups: groups,
      shares: (1...shape.headCount).filter { shape.headCount % $0 == 0 }.map {
        .init(keyValueHeads: $0, bytes: cacheBytes(shape, context: context, keyValueHeads: $0))
      },
      contexts: contexts, multiHead: line(shape.headCount), grouped: line(groups), multiQuery: line(1))
  }

  /// 2 · L · G · D · T numbers (a key and a value each) of two bytes.
  static func cacheBytes(_ shape: TransformerShape, context: Int, keyValueHeads: Int) -> Double {
    2 * Double(shape.layerCount) * Double(keyValueHeads) * Double(shape.headSize) * Double(context) * 2
  }
}
