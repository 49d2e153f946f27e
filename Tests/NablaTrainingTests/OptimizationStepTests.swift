import NablaNN
import NablaTensor
import NablaTraining
import Testing

/// One weight vector; its loss on a row is (w·x - y)².
private final class Regression: Module {
  @Parameter var weight: Tensor = Tensor([0.5, -0.25, 1])

  func loss(_ x: Tensor, _ y: Tensor) -> Tensor {
    ((x * weight).sum(axis: 1) - y).square().mean()
  }
}

@Suite struct OptimizationStepTests {
  /// Rows as micro-batches of very different sizes give the step of the whole batch. A mean of means would not.
  @Test(arguments: [[12], [1, 11], [10, 2], [1, 1, 7, 3]]) func microBatchesCountByTheirWeight(_ sizes: [Int]) throws {
    var random = RandomSource(seed: 5)
    let (x, y) = (random.normal([12, 3]), random.normal([12]))
    func weights(_ sizes: [Int]) throws -> ([Float], Double) {
      let model = Regression()
      var start = 0
      let microBatches = sizes.map { size in
        let rows = start..<start + size
        start += size
        return MicroBatch<Regression>(weight: Double(size)) { $0.loss(x[rows], y[rows]) }
      }
      var optimization = OptimizationStep(SGD(learningRate: constant(0.1)), clip: 0)
      let outcome = try optimization.take(on: model, microBatches)
      return (model.weight.array(), outcome.loss)
    }
    let (whole, wholeLoss) = try weights([12])
    let (parts, loss) = try weights(sizes)
    for (a, b) in zip(whole, parts) { #expect(abs(a - b) < 1e-6) }
    #expect(abs(loss - wholeLoss) < 1e-6)
    // The bound is one that the mean of means misses.
    let means = (0..<2).map { part in
      Double(Regression().loss(x[part == 0 ? 0..<1 : 1..<12], y[part == 0 ? 0..<1 : 1..<12]).item())
    }
    #expect(abs((means[0] + means[1]) / 2 - wholeLoss) > 1e-2)
  }

  /// g = (3, 4): of norm 5, it is scaled to norm 1; with torch's ε by 1 / (5 + ε).
  @Test func clipsTheGlobalNorm() throws {
    final class Pair: Module {
      @Parameter var a: Tensor = Tensor(0)
      @Parameter var b: Tensor = Tensor(0)
    }
    for (clip, epsilon, scale) in [(1, 0, 0.2), (0, 0, 1), (10, 0, 1), (1, 1, 1.0 / 6)] as [(Float, Float, Float)] {
      let model = Pair()
      var optimization = OptimizationStep(SGD(learningRate: constant(1)), clip: clip, clipEpsilon: epsilon)
      let outcome = try optimization.take(
        on: model, [MicroBatch(weight: 1) { $0.a * Tensor(3) + $0.b * Tensor(4) }])
      #expect(abs(outcome.gradientNorm - 5) < 1e-6)
      #expect(abs(model.a.item() + 3 * scale) < 1e-6 && abs(model.b.item() + 4 * scale) < 1e-6)
    }
  }

  /// A step that is not to be trusted changes nothing: weights, moments, average.
  @Test func badStepsChangeNothing() throws {
    let model = Regression()
    var optimization = OptimizationStep(
      AdamW(learningRate: constant(0.1)), clip: 1, spikeGuard: SpikeGuard(patience: 2),
      average: MovingAverage(of: model, decay: 0.5))
    let before = model.weight.array()
    func bad() throws -> OptimizationStep.Outcome {
      try optimization.take(on: model, [MicroBatch(weight: 1) { ($0.weight * Tensor(.infinity)).sum() }])
    }
    let skipped = try bad()
    #expect(try #require(skipped.skipped).contains("the loss is") && optimization.optimizer.step == 0)
    #expect(throws: Diverged.self) { try bad() }
    #expect(model.weight.array() == before && optimization.average?.tensors["weight"]?.array() == before)
  }
}
