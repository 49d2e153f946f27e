import NablaLanguage
import NablaNN
import NablaTensor
import Testing

/// A layer that computes what the output layer does, but must be called.
private final class Called: Linear {
  override func callAsFunction(_ x: Tensor, residual: Tensor?, output: DType?) -> Tensor {
    super.callAsFunction(x, residual: residual, output: output)
  }
}

@Suite struct PackingTests {
  struct Case: Sendable {
    var positions = PositionKind.rotary
    var window: Int?
    var norm = NormPlacement.pre
    var checkpoints = false
    var headNorm = false
  }
  static let cases = [
    Case(), Case(positions: .learned), Case(positions: .sinusoidal, norm: .post), Case(window: 3, checkpoints: true),
    Case(headNorm: true),
  ]

  /// Examples packed into rows longer than the context give the losses and gradients that they give alone.
  @Test(arguments: cases) func packedIsAlone(_ c: Case) throws {
    let model = lively(
      configuration {
        ($0.positions, $0.window, $0.normPlacement) = (c.positions, c.window, c.norm)
        $0.headNorm = c.headNorm ? .rms : nil
      })
    model.checkpointsActivations = c.checkpoints
    let lengths = [[7, 12, 1], [16, 3]]
    let time = 21
    let segments = Segments(lengths: lengths, time: time)
    let input = tokens([2, time], below: 32)
    var targets = tokens([2, time], below: 32, seed: 9).array(of: Int32.self)
    targets[3] = -100
    targets[20] = -100  // padding
    for i in 19..<21 { targets[time + i] = -100 }
    let target = Tensor(targets, [2, time])
    let weights = Tensor((0..<2 * time).map { 0.1 + Float($0 % 5) }, [2, time])

    let packed = valueAndGradient(of: model) {
      $0.loss(input, targets: target, weights: weights, segments: segments)
    }
    let both = model.logProbabilities(input, targets: target, segments: segments, temperature: 0.8)
    var (loss, gradients) = (Float(0), Gradients())
    for (row, lengths) in lengths.enumerated() {
      var start = 0
      for length in lengths {
        func own(_ x: Tensor) -> Tensor { x[row..<row + 1].slice(start..<start + length, axis: 1) }
        let part = valueAndGradient(of: model, accumulating: gradients) {
          $0.loss(own(input), targets: own(target), weights: own(weights))
        }
        gradients = part.gradients
        loss += part.value.item()
        let alone = model.logProbabilities(own(input), targets: own(target), temperature: 0.8)
        #expect(largestDifference(own(both.logProbabilities), alone.logProbabilities) < 1e-5)
        #expect(largestDifference(own(both.entropies), alone.entropies) < 1e-5)
        start += length
      }
    }
    #expect(abs(packed.value.item() - loss) < 1e-4 * abs(loss))
    for name in gradients.names {
      let (a, b) = (try #require(packed.gradients[name]), try #require(gradients[name]))
      let largest = b.array().reduce(Float(1)) { max($0, abs($1)) }
      #expect(largestDifference(a, b) < 2e-5 * Double(largest), "\(name)")
    }
    // And the mean counts each target once.
    let mean = model.loss(input, targets: target, segments: segments).item()
    let counted = targets.count { $0 != -100 }
    let sum = model.loss(input, targets: target, weights: .ones([2, time]), segments: segments).item()
    #expect(abs(mean - sum / Float(counted)) < 1e-5 * abs(mean))
  }

  /// Log-probabilities and entropies against the whole logits, with a replaced output layer too.
  @Test(arguments: [false, true]) func logProbabilitiesAreThoseOfLogits(_ replaced: Bool) throws {
    let model = lively(configuration { $0.tieEmbeddings = false })
    let (input, targets) = (tokens([2, 9], below: 32), tokens([2, 9], below: 32, seed: 4))
    let expected = model.loss(input, targets: targets).item()
    if replaced {
      try model.replace("lm_head", with: Called(weight: try #require(model.head).weight))
    }
    let (p, h) = model.logProbabilities(input, targets: targets, temperature: 0.7)
    let all = (model.logits(model(input)) / Float(0.7)).logSoftmax()
    #expect(largestDifference(p, all.gatherLast(targets)) < 1e-5)
    #expect(largestDifference(h, -(all.exp() * all).sum(axis: -1)) < 1e-5)
    #expect(abs(model.loss(input, targets: targets).item() - expected) < 1e-5)
  }
}

/// What stands on a backbone.
private final class Scorer: Module {
  @Named("model") var backbone: Transformer
  @Named("score") var score: Linear

  init(_ backbone: Transformer, random: inout RandomSource) {
    super.init()
    self.backbone = backbone
    score = Linear(backbone.configuration.width, 1, bias: false, random: &random)
  }
}

@Suite struct BackboneTests {
  @Test func namesAreThoseOfCheckpoints() {
    let model = lively(configuration { ($0.tieEmbeddings, $0.positions) = (false, .learned) })
    let names = model.parameters().map(\.name)
    #expect(
      names.prefix(3) == [
        "model.embed_tokens.weight", "model.embed_positions.weight",
        "model.layers.0.self_attn.q_proj.weight",
      ])
    #expect(names.suffix(2) == ["model.norm.weight", "lm_head.weight"])
    var random = RandomSource(seed: 2)
    let scorer = Scorer(model.backbone, random: &random)
    #expect(scorer.parameters().map(\.name) == names.dropLast() + ["score.weight"])
  }

  /// A copy is equal, and then goes its own way; a shared backbone does not.
  @Test func copiesAndShares() throws {
    let model = lively(configuration())
    model.computeType = .bfloat16
    let copy = Transformer(copying: model.backbone)
    #expect(copy.computeType == .bfloat16)
    let input = tokens([1, 9], below: 32)
    #expect(copy(input).array() == model(input).array())
    var random = RandomSource(seed: 2)
    let (own, shared) = (Scorer(copy, random: &random), Scorer(model.backbone, random: &random))
    let before = bits(model)
    func step(_ scorer: Scorer) {
      let (_, gradients) = valueAndGradient(of: scorer) { $0.score($0.backbone(input)).square().sum() }
      AdamW(learningRate: constant(0.1)).update(scorer, with: gradients)
    }
    step(own)
    #expect(bits(model) == before)
    #expect(copy(input).array() != model(input).array())
    step(shared)
    #expect(bits(model) != before)
  }

  /// A frozen copy is the reference that training moves away from.
  @Test func referenceStays() throws {
    let model = lively(configuration { $0.tieEmbeddings = false })
    let reference = TransformerLM(copying: model)
    reference.freeze()
    #expect(bits(reference) == bits(model))
    #expect(!model.trainableParameters().isEmpty && reference.trainableParameters().isEmpty)
    let before = bits(reference)
    let (input, targets) = (tokens([1, 9], below: 32), tokens([1, 9], below: 32, seed: 3))
    let (_, gradients) = valueAndGradient(of: model) { $0.loss(input, targets: targets) }
    AdamW(learningRate: constant(0.1)).update(model, with: gradients)
    #expect(bits(reference) == before && bits(model) != before)
  }

  /// Layers are replaced by their checkpoint names, and a cache reads through the new ones.
  @Test func replacesByCheckpointName() throws {
    let model = lively(configuration())
    let input = tokens([1, 9], below: 32)
    let before = model(input)
    let path = "model.layers.1.self_attn.v_proj"
    let layer = try #require(model.module(at: path) as? Linear)
    try model.replace(path, with: Called(weight: layer.weight * 2.0))
    let after = model(input)
    #expect(largestDifference(before, after) > 0.01)
    let cache = model.makeCache(.float32)
    let read = model.read([(cache.add(), input.array(of: Int32.self))], cache)
    #expect(largestDifference(read, after[0]) < 1e-4)
    let error = #expect(throws: ModuleError.self) {
      try model.replace("layers.1.self_attn.v_proj", with: layer)
    }
    #expect(error?.description == "there is no module 'layers.1.self_attn.v_proj': did you mean '\(path)'?")
  }
}
