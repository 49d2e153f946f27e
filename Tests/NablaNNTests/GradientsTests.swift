import NablaNN
import NablaTensor
import Testing

private final class Pair: Module {
  let used: Linear
  let unused: Linear

  override init() {
    var random = RandomSource(seed: 5)
    used = Linear(4, 3, random: &random)
    unused = Linear(4, 3, random: &random)
  }

  func loss(_ x: Tensor) -> Tensor { used(x).square().mean() }
}

private struct Stop: Error {}

@Suite struct GradientsTests {
  private let x: Tensor = {
    var random = RandomSource(seed: 6)
    return random.normal([8, 4])
  }()

  @Test func halvesAddUpToTheWhole() throws {
    let model = Pair()
    let whole = valueAndGradient(of: model) { $0.loss(x) }
    var gradients = Gradients()
    var value: Float = 0
    for part in [0..<4, 4..<8] {
      let (loss, sum) = valueAndGradient(of: model, accumulating: gradients) { $0.loss(x[part]) * 0.5 }
      value += loss.item()
      gradients = sum
    }
    #expect(abs(value - whole.value.item()) < 1e-6)
    for name in whole.gradients.names {
      expectClose(try #require(gradients[name]), try #require(whole.gradients[name]), tolerance: 1e-6, name)
    }
  }

  @Test func unusedParametersHaveGradientZero() throws {
    let model = Pair()
    let (_, gradients) = valueAndGradient(of: model) { $0.loss(x) }
    #expect(gradients.names == ["unused.bias", "unused.weight", "used.bias", "used.weight"])
    #expect(try #require(gradients["unused.weight"]).array() == Array(repeating: 0, count: 12))
    #expect(try #require(gradients["used.weight"]).array().contains { $0 != 0 })
  }

  /// After a call, thrown out of or not, the model holds constants: a later loss records nothing.
  @Test func leavesNoRecordBehind() {
    let model = Pair()
    #expect(throws: Stop.self) { try valueAndGradient(of: model) { _ in throw Stop() } }
    #expect(model.parameters().allSatisfy { $0.value.node == nil })
    #expect(model.loss(x).node == nil)
    _ = valueAndGradient(of: model) { $0.loss(x) }
    #expect(model.loss(x).node == nil)
  }

  @Test func clippingByTheGlobalNorm() throws {
    let model = Pair()
    // Gradients 3 on one weight and 4 on another: norm 5.
    let (_, gradients) = valueAndGradient(of: model) { model in
      model.used.weight[0][0].reshaped([]) * 3 + model.unused.bias![2].reshaped([]) * 4
    }
    #expect(gradients.norm == 5)
    #expect(gradients.clipped(toNorm: 10).norm == 5)
    let clipped = gradients.clipped(toNorm: 1)
    #expect(abs(clipped.norm - 1) < 1e-6)
    #expect(abs(try #require(clipped["used.weight"]).array()[0] - 0.6) < 1e-6)
    #expect(abs(try #require(clipped["unused.bias"]).array()[2] - 0.8) < 1e-6)
    // Clipping twice is clipping to the smaller norm.
    #expect(abs(clipped.clipped(toNorm: 0.5).norm - 0.5) < 1e-6)
    #expect(gradients.scaled(by: -2).norm == 10)
  }

  @Test func namesTheFirstNonFinite() {
    let model = Pair()
    let (_, gradients) = valueAndGradient(of: model) { model in
      (model.used.weight * Tensor(.infinity)).sum() + (model.used.bias! * Tensor(.nan)).sum()
    }
    #expect(gradients.firstNonFinite == "used.bias")
    #expect(!gradients.norm.isFinite)
    #expect(valueAndGradient(of: model) { $0.loss(x) }.gradients.firstNonFinite == nil)
  }
}
