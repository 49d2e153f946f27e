import Foundation
import NablaDiffusion
import NablaNN
import NablaTensor
import Testing

@Suite struct NetworkTests {
  @Test(arguments: ["plain", "wide"]) func unetEqualsDiffusers(_ name: String) throws {
    let fixture = try Fixture("diffusion_unet")
    let configuration =
      name == "plain"
      ? UNetConfiguration(
        sampleSize: 8, blockChannels: [8, 16], layersPerBlock: 1, attentionLevels: [false, true], headSize: 8,
        normGroups: 4)
      : UNetConfiguration(
        sampleSize: 12, inputChannels: 3, outputChannels: 6, blockChannels: [4, 8, 12], layersPerBlock: 2,
        attentionLevels: [false, true, false], headSize: nil, normGroups: 4, classCount: 4, cosineFirst: false,
        frequencyShift: 1)
    var random = RandomSource(seed: 1)
    let model = try UNet(configuration, random: &random)
    // Loading demands that names and shapes are those of diffusers, none missing and none besides.
    let prefix = "\(name).parameters."
    var state: [String: Tensor] = [:]
    for (key, tensor) in fixture.tensors where key.hasPrefix(prefix) {
      state[String(key.dropFirst(prefix.count))] = tensor
    }
    try model.load(state)
    let labels = fixture.tensors["\(name).labels"]
    let (input, times) = (try fixture["\(name).input"], try fixture["\(name).times"])
    #expect(try distance(model(input, times, labels: labels), fixture["\(name).output"]) < 2e-5)
    let (_, gradients) = valueAndGradient(at: [input]) { model($0[0], times, labels: labels).square().mean() }
    let reference = try fixture["\(name).gradient"]
    let scale = 1 / reference.abs().max(axis: 0).array().max()!
    #expect(distance(gradients[0] * Tensor(scale), reference * Tensor(scale)) < 1e-4)
  }

  @Test func unetSaysWhatDoesNotFit() {
    var random = RandomSource(seed: 2)
    for (configuration, field) in [
      (UNetConfiguration(sampleSize: 30), "sample size"),
      (UNetConfiguration(sampleSize: 28, normGroups: 7), "norm groups"),
      (UNetConfiguration(sampleSize: 28, headSize: 5), "head size"),
      (UNetConfiguration(sampleSize: 28, blockChannels: []), "block channels"),
      (UNetConfiguration(sampleSize: 28, attentionLevels: [true]), "attention levels"),
    ] {
      #expect("\(field)") { try UNet(configuration, random: &random) } throws: { "\($0)".hasPrefix(field) }
    }
    #expect { try DiT(DiTConfiguration(sampleSize: 15), random: &random) } throws: { "\($0)".hasPrefix("patch size") }
    #expect { try DiT(DiTConfiguration(sampleSize: 16, hiddenSize: 30), random: &random) } throws: {
      "\($0)".hasPrefix("hidden size")
    }
  }

  /// A network of zeros at its end says 0, and each block is the identity: what adaLN-Zero is for.
  @Test func ditBeginsAtZero() throws {
    var random = RandomSource(seed: 3)
    let model = try DiT(
      DiTConfiguration(sampleSize: 8, hiddenSize: 32, depth: 2, headCount: 2, classCount: 3), random: &random)
    let x = random.normal([2, 1, 8, 8])
    let output = model(x, [1, 500], labels: Tensor([0, 3] as [Int32]))
    #expect(output.shape == [2, 1, 8, 8] && output.array().allSatisfy { $0 == 0 })
  }

  /// Patches come back where they were, and times, classes and texts reach the output: a small network learns to return
  /// its input, more of it the later, darker for class 1, and lighter for the word "light".
  @Test func ditLearnsFromAllItIsTold() throws {
    var random = RandomSource(seed: 4)
    let vocabulary = CaptionVocabulary(captions: ["dark", "a light page"])
    let encoder = TextEncoder(vocabulary, width: 16, depth: 1, headCount: 2, random: &random)
    final class Both: Module {
      let dit: DiT
      let text: TextEncoder
      init(_ dit: DiT, _ text: TextEncoder) { (self.dit, self.text) = (dit, text) }
    }
    let dit = try DiT(
      DiTConfiguration(
        sampleSize: 4, hiddenSize: 32, depth: 2, headCount: 2, classCount: 2, contextSize: 16, timeScale: 1000),
      random: &random)
    let model = Both(dit, encoder)
    let words = try [vocabulary.encode("dark"), vocabulary.encode("a light page"), [CaptionVocabulary.none]]
    let optimizer = AdamW(learningRate: cosine(peak: 4e-3, warmup: 10, total: 250), weightDecay: 0)
    var last: Float = 0
    for _ in 0..<250 {
      let x = random.normal([16, 1, 4, 4])
      let times = random.uniform([16])
      let labels = (0..<16).map { _ in Int32.random(in: 0...1, using: &random) }
      let texts = (0..<16).map { _ in Int.random(in: 0...2, using: &random) }
      let brightness = zip(labels, texts).map { (label: Int32, text: Int) -> Float in
        (label == 1 ? -0.5 : 0) + [-1, 1, 0][text]
      }
      let target = x * times.reshaped([16, 1, 1, 1]) + Tensor(brightness, [16, 1, 1, 1])
      let (loss, gradients) = valueAndGradient(of: model) { model in
        model.dit(x, times, labels: Tensor(labels), context: model.text(texts.map { words[$0] }))
          .meanSquaredError(target)
      }
      optimizer.update(model, with: gradients.clipped(toNorm: 1))
      last = loss.item()
    }
    // Nothing known: ⅓ + 1/16 + ⅔; without the text ⅔ remain, without the class 1/16, without time 1/12.
    #expect(last < 0.04, "\(last)")
  }

  /// Texts reach every resolution of a UNet that attends; at first they change nothing.
  @Test func unetReadsTexts() throws {
    var random = RandomSource(seed: 9)
    let vocabulary = CaptionVocabulary(captions: ["dark", "light"])
    let encoder = TextEncoder(vocabulary, width: 16, depth: 1, headCount: 2, random: &random)
    let model = try UNet(
      UNetConfiguration(sampleSize: 8, blockChannels: [8, 16], layersPerBlock: 1, contextSize: 16), random: &random)
    let x = random.normal([1, 1, 8, 8])
    func output(_ text: String) throws -> Tensor {
      model(x, [500], context: encoder([try vocabulary.encode(text)]))
    }
    #expect(distance(try output("dark"), try output("light")) == 0)
    let outputs = model.trainableParameters().filter {
      $0.name.contains("cross_attentions") && $0.name.contains("o_proj.weight")
    }
    // One on the way down, one in the middle, two on the way up.
    #expect(outputs.count == 4)
    for parameter in outputs { parameter.value = random.normal(parameter.value.shape) }
    #expect(distance(try output("dark"), try output("light")) > 1e-3)
  }

  /// A text's states do not depend on the longer ones beside it.
  @Test func paddingIsNotSeen() throws {
    var random = RandomSource(seed: 5)
    let vocabulary = CaptionVocabulary(captions: ["one two three four"])
    let encoder = TextEncoder(vocabulary, width: 16, headCount: 2, random: &random)
    let (short, long) = try (vocabulary.encode("two one"), vocabulary.encode("four three two one"))
    let together = encoder([short, long])
    #expect(together.lengths.array(of: Int32.self) == [2, 4])
    #expect(distance(together.states[0][0..<2], encoder([short]).states[0]) < 1e-5)
    #expect(distance(encoder([long]).states[0], together.states[1]) < 1e-5)
  }

  @Test func unknownWordsAreNamed() throws {
    let vocabulary = CaptionVocabulary(captions: ["Page_add", "page delete"])
    #expect(vocabulary.words == ["add", "delete", "page"])
    #expect(try vocabulary.encode("delete PAGE") == [2, 3])
    #expect(try vocabulary.encode("") == [CaptionVocabulary.none])
    #expect { try vocabulary.encode("page zap frob") } throws: { "\($0)".contains("unknown words \"zap\", \"frob\"") }
    let again = try JSONDecoder().decode(CaptionVocabulary.self, from: JSONEncoder().encode(vocabulary))
    #expect(again == vocabulary)
  }

  @Test func mlpSeesTimeAndLabels() {
    var random = RandomSource(seed: 6)
    let model = DenoisingMLP(dimensions: 2, width: 16, depth: 1, labels: 2, random: &random)
    for parameter in model.trainableParameters() where parameter.name.hasPrefix("output") {
      parameter.value = random.normal(parameter.value.shape)
    }
    let x = random.normal([1, 2])
    func output(_ time: Float, _ label: Int32?) -> [Float] {
      model(x, Tensor([time]), labels: label.map { Tensor([$0]) }).array()
    }
    #expect(output(0.1, 0) != output(0.2, 0) && output(0.1, 0) != output(0.1, 1))
    #expect(output(0.1, nil) == output(0.1, 2))  // "no label"
    #expect(model.trainableParameters().allSatisfy { !$0.name.contains("frequencies") })
  }
}
