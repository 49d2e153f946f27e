/// The smallest network in common use, a CartPole policy: what is measured is the cost of a call.
enum TimeMLP {
  static let row = Row(
    name: "mlp",
    work: "MLP 4-64-64-2, tanh, batch 8",
    // One thread: as fast for PyTorch as two on quiet cores, and steady on busy ones.
    peer: .init(script: "mlp.py", arguments: ["--threads", "1"]),
    nabla: nil,
    metrics: [
      Metric(key: "forward_microseconds", label: "forward, µs", higherIsBetter: false),
      Metric(key: "train_microseconds", label: "forward + backward + Adam, µs", higherIsBetter: false),
    ])
}
