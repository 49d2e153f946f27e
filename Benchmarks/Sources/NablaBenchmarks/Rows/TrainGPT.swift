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
    row(small, precision: "float32", steps: 8),
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
      nabla: nil,
      metrics: [.tokensPerSecond, .peakMemory])
  }
}
