import Glibc
import NablaLanguage
import NablaTensor

extension TransformerStep {
  /// What a model loses without a part of it.
  struct Ablation: Encodable {
    var layers: Int
    /// Mean cross-entropy of the text's tokens in nats, of the whole model, and with the switches as they are.
    var whole, switched: Double
    /// With one layer left out, for each layer; only where it was asked for.
    var without: [Double]?
    /// ln V: the loss of a model that knows nothing.
    var uniform: Double
  }

  static let ablation = Computation.answer("ablation") { query, studio in
    try studio.model.use { loaded in
      let ids = try AttentionStep.read(query, loaded, default: sentence).ids
      if ids.count < 2 { throw StudioError("one token predicts nothing: write a few words") }
      let layers = loaded.facts.layers
      let skipped = try query.integer("skip", in: -1...layers - 1, default: -1)
      let switches = BlockSwitches(
        skippedLayers: skipped < 0 ? [] : [skipped], hasResiduals: try query.flag("residuals", default: true),
        hasNorms: try query.flag("norms", default: true))
      if switches != BlockSwitches(skippedLayers: switches.skippedLayers),
        loaded.model.configuration.normPlacement != .pre
      {
        throw StudioError(
          "this model has its norms after the sublayers: its residuals and norms cannot be left out here")
      }
      return Ablation(
        layers: layers, whole: loss(loaded, ids, BlockSwitches()), switched: loss(loaded, ids, switches),
        without: try query.flag("each", default: false)
          ? (0..<layers).map { loss(loaded, ids, BlockSwitches(skippedLayers: [$0])) } : nil,
        uniform: log(Double(loaded.facts.vocabulary)))
    }
  }

  /// −mean log p(token | those before it).
  static func loss(_ loaded: StudioModel.Loaded, _ ids: [Int32], _ switches: BlockSwitches) -> Double {
    let count = ids.count - 1
    let stream = loaded.model.backbone.residualStream(Tensor(Array(ids.dropLast()), [1, count]), switches: switches)
    let logits = loaded.model.logits(loaded.model.backbone.normalizedForOutput(stream.last!))
    let losses = logits.reshaped([count, loaded.facts.vocabulary]).crossEntropy(Tensor(Array(ids.dropFirst())))
    return Double(losses.item())
  }
}
