import Nabla

/// The smallest network in common use, a CartPole policy: this measures the overhead of a call.
enum TimeMLP {
  static let row = Row(
    name: "mlp",
    work: "MLP 4-64-64-2, tanh, batch 8",
    // One thread: as fast for PyTorch as two on quiet cores, and steady on busy ones.
    peer: .init(script: "mlp.py", arguments: ["--threads", "1"]),
    nabla: { nabla() },
    metrics: [
      Metric(key: "forward_microseconds", label: "forward, µs", higherIsBetter: false),
      Metric(key: "train_microseconds", label: "forward + backward + Adam, µs", higherIsBetter: false),
    ])

  @Sendable static func nabla() -> Round {
    Threads.count = 1
    var random = RandomSource(seed: 1)
    let network = MultilayerPerceptron([4, 64, 64, 2], random: &random)
    let optimizer = AdamW(learningRate: constant(1e-3), weightDecay: 0)
    let (x, y) = (random.normal([8, 4]), random.normal([8, 2]))
    func train() {
      let (_, gradients) = valueAndGradient(of: network) { $0(x).meanSquaredError(y) }
      optimizer.update(network, with: gradients)
    }
    func medianMicroseconds(_ body: () -> Void) -> Double {
      _ = secondsPerCall(1000, body)
      return median(secondsPerCall(10_000, body))! * 1e6
    }
    return {
      [
        "forward_microseconds": medianMicroseconds { _ = network(x) },
        "train_microseconds": medianMicroseconds(train),
      ]
    }
  }
}
