import Nabla

/// Denoising networks: a training step (ε-prediction, mean squared error, clipping to norm 1, AdamW), and 20 steps of
/// DDIM for 64 images. Nabla supports one precision for these, float32; diffusers runs in float32 and bfloat16
/// autocast, with either memory format.
enum TrainDiffusion {
  static let rows =
    [("float32", "first"), ("float32", "last"), ("bfloat16", "last")].map { precision, layout in
      images(
        "unet", work: "UNet2DModel 28 × 28 × 1, (32, 64, 64), batch 64", precision, layout, gigaflops: 40.68
      ) { random in
        let network = try UNet(UNetConfiguration(sampleSize: 28), random: &random)
        return (network, { network($0, $1) })
      }
    }
    + [("float32", "first"), ("bfloat16", "first")].map { precision, layout in
      images(
        "dit", work: "DiT 28 × 28 × 1, patch 2, 6 × 128, batch 64", precision, layout, gigaflops: 37.30
      ) { random in
        let network = try DiT(DiTConfiguration(sampleSize: 28, classCount: 9), random: &random)
        let labels = Tensor([Int32](repeating: 0, count: 64))
        return (network, { network($0, $1, labels: labels) })
      }
    } + [32, 128, 512].map(points)

  private typealias Network = (module: Module, call: (_ x: Tensor, _ times: Tensor) -> Tensor)

  /// - Parameter gigaflops: Of a forward pass, as counted by torch.utils.flop_counter; a step takes three times that.
  private static func images(
    _ name: String, work: String, _ precision: String, _ layout: String, gigaflops: Double,
    _ make: @escaping @Sendable (inout RandomSource) throws -> Network
  ) -> Row {
    Row(
      name: "diffusion-\(name)-\(precision)-\(layout)", work: "\(work); peer in \(precision), channels \(layout)",
      peer: .init(
        script: "diffusion.py", arguments: ["--network", name, "--precision", precision, "--layout", layout]),
      nabla: {
        var random = RandomSource(seed: 1)
        let (network, call) = try make(&random)
        let train = try trainingStep(network, shape: [64, 1, 28, 28], random: random.split(), call)
        let process = try DiscreteProcess(.linear, count: 1000)
        let denoiser = try DDPMObjective(process, predicting: .noise).denoiser { call($0, $1) }.thresholded(.clip())
        return {
          _ = secondsPerCall(2, train)
          let step = median(secondsPerCall(8, train))!
          let sample = try secondsOfSampling(denoiser, process)
          return [
            "train_milliseconds": step * 1e3, "sample_seconds": sample, "peak_rss_mib": peakResidentMiB(),
            "train_share": 3 * gigaflops * 1e9 / step / matrixFlops(),
            "sample_share": 20 * gigaflops * 1e9 / sample / matrixFlops(),
          ]
        }
      },
      metrics: [
        Metric(key: "train_milliseconds", label: "training step, ms", higherIsBetter: false),
        Metric(key: "sample_seconds", label: "64 images, 20 steps, s", higherIsBetter: false), .peakMemory,
        Metric(key: "train_share", label: "training: fraction of the matmul rate", higherIsBetter: true),
        Metric(key: "sample_share", label: "sampling: fraction of the matmul rate", higherIsBetter: true),
      ])
  }

  private static func points(batch: Int) -> Row {
    Row(
      name: "diffusion-mlp-\(batch)", work: "MLP 3 × 128 on 2-D points, batch \(batch)",
      peer: .init(script: "diffusion.py", arguments: ["--network", "mlp", "--batch", "\(batch)", "--steps", "100"]),
      nabla: {
        var random = RandomSource(seed: 1)
        let network = DenoisingMLP(dimensions: 2, timeScale: 1e-3, random: &random)
        let train = try trainingStep(network, shape: [batch, 2], random: random.split()) { network($0, $1) }
        let weights = network.parameters().filter { $0.value.rank == 2 }.reduce(0) { $0 + $1.value.count }
        return {
          _ = secondsPerCall(20, train)
          let step = median(secondsPerCall(200, train))!
          return [
            "train_milliseconds": step * 1e3, "train_share": 6 * Double(batch * weights) / step / matrixFlops(),
          ]
        }
      },
      metrics: [
        Metric(key: "train_milliseconds", label: "training step, ms", higherIsBetter: false),
        Metric(key: "train_share", label: "training: fraction of the matmul rate", higherIsBetter: true),
      ])
  }

  private static func trainingStep(
    _ network: Module, shape: Shape, random: RandomSource, _ call: @escaping (Tensor, Tensor) -> Tensor
  ) throws -> () -> Void {
    var random = random
    let optimizer = AdamW(learningRate: constant(1e-4), weightDecay: 0.01)
    let objective = try DDPMObjective(DiscreteProcess(.linear, count: 1000), predicting: .noise)
    let data = random.normal(shape)
    return {
      let example = objective.example(data, random: &random)
      let (_, gradients) = valueAndGradient(of: network) { _ in
        call(example.input, example.times).meanSquaredError(example.target)
      }
      optimizer.update(network, with: gradients.clipped(toNorm: 1))
    }
  }

  private static func secondsOfSampling(_ denoiser: Denoiser, _ process: DiscreteProcess) throws -> Double {
    var random = RandomSource(seed: 2)
    let steps = try process.steps(20)
    let noise = initialNoise([64, 1, 28, 28], at: steps[0], random: &random)
    return secondsPerCall(1) {
      withoutGradient { _ = DDIM().sample(noise, denoiser, along: steps, random: &random) }
    }[0]
  }

  /// FLOP/s of the best of ten float32 products of 1024 × 1024 matrices: the limit, measured in the same minute.
  private static func matrixFlops() -> Double {
    var random = RandomSource(seed: 3)
    let (a, b) = (random.normal([1024, 1024]), random.normal([1024, 1024]))
    return 2 * 1024 * 1024 * 1024 / secondsPerCall(10) { withoutGradient { _ = a.matmul(b) } }.min()!
  }
}
