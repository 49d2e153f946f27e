/// Causal attention, forward and backward, over 2,048 tokens cut into sequences of T.
enum TimeAttention {
  static let rows = [256, 1024, 4096].flatMap { context in
    ["bfloat16", "float32"].map { row(context: context, precision: $0) }
  }

  static func row(context: Int, precision: String) -> Row {
    Row(
      name: "attention-\(context)-\(precision)",
      work: "causal attention forward + backward, D 64, H 6, T \(context), B \(max(1, 2048 / context)), \(precision)",
      peer: .init(script: "attention.py", arguments: ["--context", "\(context)", "--precision", precision]),
      nabla: nil,
      metrics: [.milliseconds, .peakMemory])
  }
}
