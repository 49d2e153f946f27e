import Glibc
import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining
import Testing

@Suite struct TransformerLMTests {
  /// An untrained model knows nothing: its loss is about ln V (weights of 0.02 add some hundredths).
  @Test(arguments: ["tiny", "shakespeare-char", "original"]) func presetsStartAtLogV(_ name: String) throws {
    let preset = try Preset.named(name)
    var c = preset.model
    if c.vocabularySize == 0 { c.vocabularySize = 65 }
    try c.validate()
    var random = RandomSource(seed: 1)
    let model = TransformerLM(c, random: &random)
    let input = tokens([2, 32], below: c.vocabularySize)
    let loss = model.loss(input, targets: tokens([2, 32], below: c.vocabularySize, seed: 6)).item()
    // Post-norm and learned positions without tying draw the hidden states to unit size: C · 0.02² / 2 more.
    #expect(abs(Double(loss) - log(Double(c.vocabularySize))) < 0.1)
  }

  @Test func presetsAreValid() throws {
    for preset in Preset.all {
      var c = preset.model
      if preset.tokenizer == .char { c.vocabularySize = 65 }
      try c.validate()
      try preset.training.validate()
      #expect(try Preset.named(preset.name).name == preset.name)
    }
    let error = #expect(throws: ConfigurationError.self) { try Preset.named("tny") }
    #expect(try #require(error).problem.contains("did you mean 'tiny'?"))
  }

  @Test func badSizesAreRefused() throws {
    let changes: [((inout TransformerConfiguration) -> Void, String)] = [
      ({ $0.layerCount = 0 }, "layers"), ({ $0.width = -1 }, "width"), ({ $0.keyValueHeadCount = 3 }, "do not divide"),
      ({ $0.headSize = 5 }, "even head size"), ({ $0.dropout = 1 }, "dropout"), ({ $0.window = 0 }, "window"),
      ({ $0.context = .max }, "context"), ({ $0.headSize = .max }, "head size"),
    ]
    for (change, problem) in changes {
      let error = #expect(throws: ConfigurationError.self) { try configuration(change).validate() }
      #expect(try #require(error).problem.contains(problem))
    }
    let uneven = TransformerConfiguration(vocabularySize: 9, context: 9, width: 32, layerCount: 1, headCount: 5)
    let error = #expect(throws: ConfigurationError.self) { try uneven.validate() }
    #expect(try #require(error).problem == "5 heads do not divide width 32")
  }

  /// A later token must not reach an earlier prediction.
  @Test(arguments: [PositionKind.rotary, .learned, .sinusoidal]) func isCausal(_ positions: PositionKind) {
    let model = lively(configuration { $0.positions = positions })
    let input = tokens([1, 12], below: 32)
    var changed = input.array(of: Int32.self)
    changed[8] = (changed[8] + 1) % 32
    let (a, b) = (model(input), model(Tensor(changed, [1, 12])))
    #expect(largestDifference(a.slice(0..<8, axis: 1), b.slice(0..<8, axis: 1)) == 0)
    #expect(largestDifference(a.slice(8..<12, axis: 1), b.slice(8..<12, axis: 1)) > 0.01)
  }

  /// The order of earlier tokens matters: attention without positions could not tell.
  @Test(arguments: [PositionKind.rotary, .learned, .sinusoidal]) func knowsOrder(_ positions: PositionKind) {
    let model = lively(configuration { ($0.positions, $0.layerCount) = (positions, 1) })
    let (a, b) = (model(Tensor([1, 2, 3] as [Int32], [1, 3])), model(Tensor([2, 1, 3] as [Int32], [1, 3])))
    #expect(largestDifference(a[0][2], b[0][2]) > 1e-3)
  }

  @Test(arguments: [PositionKind.rotary, .learned]) func attentionWeightsAreCausalDistributions(_ p: PositionKind) {
    let c = configuration { $0.positions = p }
    let weights = lively(c).attentionWeights(tokens([1, 7], below: 32))
    #expect(weights.count == 2 && weights.allSatisfy { $0.shape == [4, 7, 7] })
    for layer in weights {
      for (i, row) in layer.reshaped([28, 7]).array().chunked(7).enumerated() {
        #expect(abs(row.reduce(0, +) - 1) < 1e-5 && row[(i % 7 + 1)...].allSatisfy { $0 == 0 })
      }
    }
  }

  /// Blocks run again in the backward pass draw the same dropout: gradients have the same bits.
  @Test(arguments: [NormPlacement.pre, .post], [DType.float32, .bfloat16])
  func checkpointedGradientsAreIdentical(_ placement: NormPlacement, _ type: DType) throws {
    let model = lively(
      configuration {
        ($0.dropout, $0.normPlacement, $0.bias, $0.tieEmbeddings) = (0.3, placement, true, false)
      })
    model.computeType = type
    let (input, targets) = (tokens([3, 10], below: 32), tokens([3, 10], below: 32, seed: 8))
    func run(_ checkpoints: Bool, seed: UInt64 = 4) -> (Float, [String: [UInt32]]) {
      model.checkpointsActivations = checkpoints
      let (loss, gradients) = valueAndGradient(of: model) {
        $0.loss(input, targets: targets, random: RandomSource(seed: seed))
      }
      let bits = gradients.names.map { ($0, gradients[$0]!.array().map(\.bitPattern)) }
      return (loss.item(), Dictionary(uniqueKeysWithValues: bits))
    }
    let (plain, checkpointed) = (run(false), run(true))
    #expect(plain == checkpointed)
    #expect(plain.1.values.allSatisfy { $0.contains { $0 << 1 != 0 } }, "every parameter has a gradient")
    #expect(plain.0 != run(false, seed: 5).0, "dropout is on")
  }

  @Test func evaluationIsTheMeanOfNaiveLogLikelihoods() throws {
    let model = lively(configuration(vocabulary: 257))
    let tokenizer = ByteTokenizer()
    // 4 windows of 16 and a part of one; the end-of-text token stands for no bytes.
    let ids = tokens([75], below: 256).array(of: Int32.self) + [256, 97]
    let data = TokenDataset(ids, vocabularySize: 257)
    var nats = 0.0
    for start in stride(from: 0, to: ids.count - 1, by: 16) {
      let end = min(start + 16, ids.count - 1)
      let logits = model.logits(model(Tensor(Array(ids[start..<end]), [1, end - start])))[0]
      for t in 0..<end - start {
        let row = logits[t].array(of: Double.self)
        nats += log(row.reduce(0) { $0 + exp($1) }) - row[Int(ids[start + t + 1])]
      }
    }
    let count = ids.count - 1
    for batchSize in [1, 2, 8] {
      let result = try model.evaluate(data, tokenizer: tokenizer, batchSize: batchSize)
      #expect(abs(result.loss - nats / Double(count)) < 1e-5)
      #expect(abs(result.perplexity - exp(nats / Double(count))) < 1e-3 * result.perplexity)
      #expect(result.tokens == count && result.bytes == count - 1)
      #expect(abs(result.bitsPerByte - nats / log(2) / Double(count - 1)) < 1e-5)
    }
    let part = try model.evaluate(data, tokenizer: tokenizer, batchSize: 1, batches: 2)
    #expect(part.tokens == 32)
    #expect(throws: (any Error).self) { try model.evaluate(data[0..<1], tokenizer: tokenizer) }
  }

  @Test func movingAverageByHand() throws {
    let model = lively(configuration { $0.layerCount = 1 })
    var average = MovingAverage(of: model, decay: 0.75)
    let name = "model.norm.weight"
    let parameter = try #require(model.parameters().first { $0.name == name })
    var expected = parameter.value.array(of: Double.self)
    for step in 1...4 {
      parameter.value = parameter.value + Tensor(Float(step))
      average.update(model)
      expected = zip(expected, parameter.value.array(of: Double.self)).map { 0.75 * $0 + 0.25 * $1 }
    }
    let own = bits(model)
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try average.applied(to: model) {
        for (a, b) in zip(parameter.value.array(of: Double.self), expected) { #expect(abs(a - b) < 1e-5) }
        throw Stop()
      }
    }
    #expect(bits(model) == own, "the model has its own weights again")
  }
}

extension Array {
  fileprivate func chunked(_ size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<$0 + size]) }
  }
}
