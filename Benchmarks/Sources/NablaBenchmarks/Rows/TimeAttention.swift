import Nabla

/// Causal attention, forward and backward, over 2,048 tokens split into sequences of T.
enum TimeAttention {
  static let rows = [256, 1024, 4096].flatMap { context in
    ["bfloat16", "float32"].map { row(context: context, precision: $0) }
  }

  static func row(context: Int, precision: String) -> Row {
    Row(
      name: "attention-\(context)-\(precision)",
      work: "causal attention forward + backward, D 64, H 6, T \(context), B \(max(1, 2048 / context)), \(precision)",
      peer: .init(script: "attention.py", arguments: ["--context", "\(context)", "--precision", precision]),
      nabla: { nabla(context: context, dtype: precision == "bfloat16" ? .bfloat16 : .float32) },
      metrics: [.milliseconds, .peakMemory])
  }

  static func nabla(context: Int, dtype: DType) -> Round {
    let (batch, heads, size) = (max(1, 2048 / context), 6, 64)
    var random = RandomSource(seed: 1)
    let packed = random.normal([batch, context, 3 * heads * size]).cast(dtype)
    let upstream = random.normal([batch, context, heads * size])
    func step() {
      _ = valueAndGradient(at: [packed]) { inputs in
        (inputs[0].packedAttention(heads: heads, keyValueHeads: heads).cast(.float32) * upstream).sum()
      }
    }
    return {
      _ = secondsPerCall(3, step)
      return [
        "milliseconds": median(secondsPerCall(context > 1024 ? 5 : 20, step))! * 1e3, "peak_rss_mib": peakResidentMiB(),
      ]
    }
  }
}
