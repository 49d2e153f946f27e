import NablaLanguage
import NablaNN
import NablaTensor
import NablaTraining

extension LoRAStep {
  /// One layer and a whole model, with an adapter beside the weight and with the adapter added to it.
  struct Merge: Encodable {
    var layers: [String]
    var rank: Int
    var scale: Double
    /// Six numbers of one layer's output: W·x, s·B·(A·x), their sum, and (W + s·B·A)·x.
    var frozen, beside, sum, merged: [Float]
    /// The largest difference of the last two over all of the layer's outputs, and the largest output.
    var layerDifference, largestOutput: Double
    /// The largest difference of the model's logits over a text, the largest logit, and whether greedy choices agree.
    var logitDifference, largestLogit: Double
    var agreeing, positions: Int
    /// Whether taking the adapter out again gives the base's logits bit for bit.
    var isRestored: Bool
    /// Milliseconds of a forward pass: base, adapter beside it, merged. Medians of 15.
    var milliseconds: [Double]
    var lossBefore, lossAfter: Double
  }

  static let merge = Computation.answer("merge") { query, _ in
    let key = SmallAdapters.Key(tune: try tuneKey(query), rank: try query.integer("r2", in: 1...32, default: 4))
    let adapters = try SmallAdapters.trained(key)
    return try withoutGradient {
      let model = try adapters.model()
      let layers = model.adapter("default")
      let (path, adapter) = layers[try query.integer("layer", in: 0...999, default: 0) % layers.count]
      let weight = adapters.small.weights[path + ".weight"]!
      var random = RandomSource(seed: key.tune.seed)
      let x = random.normal([1, weight.shape[1]])
      let frozen = x.linear(weight, bias: nil)
      let beside = x.linear(adapter.down, bias: nil).linear(adapter.up, bias: nil) * Tensor(adapter.scale)
      let (sum, merged) = (frozen + beside, x.linear(adapter.merged(into: weight), bias: nil))

      let ids = Array(try adapters.small.tokenizer.encode(key.tune.task.text).prefix(SmallModel.context))
      let tokens = Tensor(ids, [1, ids.count])
      func logits() -> Tensor { model.logits(model(tokens)) }
      let (before, baseTime) = timed(logits)
      let lossBefore = try adapters.small.loss(model, on: key.tune.task.text)
      model.useAdapter("default")
      let (adapted, adapterTime) = timed(logits)
      model.mergeUsedAdapter()
      let (together, mergedTime) = timed(logits)
      let lossAfter = try adapters.small.loss(model, on: key.tune.task.text)
      model.useAdapter(nil)
      let after = logits()
      let (a, b) = (adapted.argmax(axis: -1).array(of: Int32.self), together.argmax(axis: -1).array(of: Int32.self))
      return Merge(
        layers: layers.map(\.path), rank: key.rank, scale: Double(adapter.scale), frozen: firstSix(frozen),
        beside: firstSix(beside), sum: firstSix(sum), merged: firstSix(merged), layerDifference: largest(sum - merged),
        largestOutput: largest(merged), logitDifference: largest(adapted - together), largestLogit: largest(together),
        agreeing: zip(a, b).filter { $0 == $1 }.count, positions: ids.count,
        isRestored: before.array() == after.array(),
        milliseconds: [baseTime, adapterTime, mergedTime], lossBefore: lossBefore, lossAfter: lossAfter)
    }
  }

  private static func firstSix(_ x: Tensor) -> [Float] { Array(x.array().prefix(6)) }
  static func largest(_ x: Tensor) -> Double { Double(x.array().reduce(0) { max($0, abs($1)) }) }

  /// A result and the median milliseconds of computing it.
  private static func timed(_ body: () -> Tensor) -> (Tensor, Double) {
    var (result, times) = (body(), [Double]())
    for _ in 0..<15 {
      let start = monotonicSeconds()
      result = body()
      times.append(1000 * (monotonicSeconds() - start))
    }
    return (result, times.sorted()[times.count / 2])
  }
}
