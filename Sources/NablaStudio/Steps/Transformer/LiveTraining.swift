import NablaLanguage
import NablaNN
import NablaTensor
import NablaText
import NablaTraining

extension TransformerStep {
  /// A small model of characters that learns while the page looks on: cross-entropy on random windows of a text.
  static let train = Computation.job("train") { query, _, job in
    let text = try trainingText(query)
    let seed = try query.seed()
    let tokenizer = try CharacterTokenizer(corpus: [text], specialTokens: [])
    let data = TokenDataset(try tokenizer.encode(text), vocabularySize: tokenizer.vocabularySize)
    let context = 48
    guard data.count > context else {
      throw StudioError("the text has \(data.count) characters: \(context + 1) are needed")
    }
    let configuration = TransformerConfiguration(
      vocabularySize: tokenizer.vocabularySize, context: context,
      width: 32 * (try query.integer("width", in: 1...4, default: 2)),
      layerCount: try query.integer("layers", in: 1...4, default: 2), headCount: 4)
    var random = RandomSource(seed: seed)
    let model = TransformerLM(configuration, random: &random)
    let windows = try RandomWindows(data, context: context, batchSize: 8, seed: seed)
    let rate = SharedRate()
    let optimizer = AdamW(learningRate: { _ in rate.value }, weightDecay: 0.01)
    let probe = Array(try tokenizer.encode(text).prefix(24))
    job.show(
      "model",
      Facts(parameters: model.parameterCount, vocabulary: tokenizer.vocabularySize, probe: probe.map(tokenizer.piece)))

    var step = 0
    var (shown, sampled) = (0.0, 0.0)
    let most = try query.integer("steps", in: 1...20_000, default: 3000)
    while step < most, job.mayContinue() {
      rate.value = Float(
        try job.controls.number("rate", in: 1e-6...1, default: query.number("rate", in: 1e-6...1, default: 3e-3)))
      let batch = windows.batch(step: step)
      let (loss, gradients) = valueAndGradient(of: model) { $0.loss(batch.inputs, targets: batch.targets) }
      let norm = gradients.norm
      optimizer.update(model, with: gradients.clipped(toNorm: 1))
      step += 1
      guard loss.item().isFinite else { throw StudioError("the loss is no longer finite: a lower learning rate helps") }
      job.append("loss", [Double(step), Double(loss.item()), Double(norm)])

      let now = monotonicSeconds()
      if now - shown > 0.08 {
        shown = now
        job.show("attention", model.attentionWeights(Tensor(probe, [1, probe.count])).map(StudioTensor.init))
      }
      if now - sampled > 0.4 {
        sampled = now
        job.show("sample", try sample(model, tokenizer, from: text, seed: seed, step: step))
      }
    }
    job.show("sample", try sample(model, tokenizer, from: text, seed: seed, step: step))
  }

  private struct Facts: Encodable { var parameters, vocabulary: Int; var probe: [String] }
  private struct Sample: Encodable { var step: Int; var text: String }

  private static func sample(
    _ model: TransformerLM, _ tokenizer: CharacterTokenizer, from text: String, seed: UInt64, step: Int
  ) throws -> Sample {
    let completion = try model.generate(
      prompt: String(text.prefix(1)), tokenizer: tokenizer, maximumTokens: 40,
      sampling: SamplingOptions(temperature: 0.8), seed: seed)
    return Sample(step: step, text: String(text.prefix(1)) + completion.text)
  }

  /// What the optimizer's schedule reads at each step.
  private final class SharedRate: @unchecked Sendable {
    // Safe: one thread, the job's, writes and reads it.
    var value: Float = 0
  }

  enum TextKind: String, CaseIterable { case rhymes, sums, own }

  private static func trainingText(_ query: StudioQuery) throws -> String {
    switch try query.choice("corpus", default: TextKind.rhymes) {
    case .rhymes: return rhymes
    case .sums:
      return (0..<60).map { i in "\(i % 10)+\(i / 6 % 10)=\(i % 10 + i / 6 % 10)." }.joined(separator: " ")
    case .own: return try query.text("own", atMost: 10_000, default: rhymes)
    }
  }

  /// Traditional.
  static let rhymes = """
    Twinkle, twinkle, little star, how I wonder what you are. Up above the world so high, like a diamond in the sky.
    Humpty Dumpty sat on a wall, Humpty Dumpty had a great fall. All the king's horses and all the king's men could not put \
    Humpty together again.
    Mary had a little lamb, its fleece was white as snow, and everywhere that Mary went the lamb was sure to go.
    Jack and Jill went up the hill to fetch a pail of water. Jack fell down and broke his crown, and Jill came tumbling after.
    Hickory, dickory, dock, the mouse ran up the clock. The clock struck one, the mouse ran down, hickory, dickory, dock.
    Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.
    """
}
