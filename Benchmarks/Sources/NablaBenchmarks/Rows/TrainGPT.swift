import Nabla

/// Training a GPT on random tokens: a forward, a backward, clipping to norm 1 and an AdamW step.
enum TrainGPT {
  struct Shape: Sendable {
    let name: String
    let layers, width, heads, context, batch, vocabulary: Int
  }

  static let small = Shape(name: "gpt-10m", layers: 6, width: 384, heads: 6, context: 256, batch: 8, vocabulary: 256)
  static let gpt2 = Shape(
    name: "gpt2-124m", layers: 12, width: 768, heads: 12, context: 512, batch: 2, vocabulary: 50257)

  static let rows = [
    row(small, precision: "bfloat16", steps: 12), row(gpt2, precision: "bfloat16", steps: 4),
    row(small, precision: "float32", steps: 8), row(gpt2, precision: "float32", steps: 4),
  ]

  static func row(_ shape: Shape, precision: String, steps: Int) -> Row {
    Row(
      name: "\(shape.name)-\(precision)",
      work: "train GPT, \(shape.layers) layers × \(shape.width), T \(shape.context), B \(shape.batch), "
        + "V \(shape.vocabulary), \(precision)",
      peer: .init(
        script: "gpt_train.py",
        arguments: [
          "--layers", "\(shape.layers)", "--width", "\(shape.width)", "--heads", "\(shape.heads)",
          "--context", "\(shape.context)", "--batch", "\(shape.batch)", "--vocabulary", "\(shape.vocabulary)",
          "--precision", precision, "--steps", "\(steps)",
        ]),
      nabla: { nabla(shape, precision: precision == "bfloat16" ? .automatic : .float32, steps: steps) },
      metrics: [.tokensPerSecond, .peakMemory])
  }

  /// The same model and step. Where the CPU has no bfloat16 instructions, Nabla's automatic precision is float32.
  static func nabla(_ shape: Shape, precision: Precision, steps: Int) -> Round {
    var configuration = TransformerConfiguration(
      vocabularySize: shape.vocabulary, context: shape.context, width: shape.width, layerCount: shape.layers,
      headCount: shape.heads, feedForward: .gelu)
    configuration.norm = .layer
    configuration.positions = .learned
    configuration.bias = true
    var random = RandomSource(seed: 1)
    let model = TransformerLM(configuration, random: &random)
    model.computeType = precision.computeType
    let optimizer = AdamW(learningRate: constant(3e-4), beta2: 0.95, weightDecay: 0.1)
    let row = random.uniform([shape.batch, shape.context + 1], in: 0..<Float(shape.vocabulary)).cast(.int32)
    let tokens = row.slice(0..<shape.context, axis: 1)
    let targets = row.slice(1..<shape.context + 1, axis: 1)
    func step() {
      let (_, gradients) = valueAndGradient(of: model) { $0.loss(tokens, targets: targets) }
      optimizer.update(model, with: gradients.clipped(toNorm: 1))
    }
    return {
      _ = secondsPerCall(2, step)
      let seconds = median(secondsPerCall(steps, step))!
      return [
        "tokens_per_second": Double(shape.batch * shape.context) / seconds, "milliseconds": seconds * 1e3,
        "peak_rss_mib": peakResidentMiB(),
      ]
    }
  }
}
