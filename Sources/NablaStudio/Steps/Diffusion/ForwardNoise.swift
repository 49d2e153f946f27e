import NablaDiffusion
import NablaTensor

extension DiffusionStep {
  /// The data, the same with noise of one step on them, and what Bayes' theorem says of that noise.
  struct Noise: Encodable {
    /// [1024, 2] each: x₀, and x_t = √ᾱ·x₀ + √(1 - ᾱ)·ε.
    var data, noisy: StudioTensor
    var labels: [Int32]
    var classes: [String]
    /// Places, and the exact ε̂ there, whose opposite points to where noisy data are likelier: [289, 2] each.
    var places, noise: StudioTensor
    var beta, alphaBar: Double
    /// √ᾱ and √(1 - ᾱ).
    var signal, deviation: Double
    /// ᾱ/(1 - ᾱ).
    var signalToNoise: Double
    /// The mean of |ε|²/2 and of |ε - ε̂|²/2: how much noise there is, and how much of it nobody can know.
    var noisePower, unknown: Double
    /// [t, ᾱ_t] along the schedule.
    var curve: [[Double]]
  }

  static let noise = Computation.answer("noise") { query, _ in
    let data = try PlaneData(query)
    let process = try DiscreteProcess(query.choice("schedule", default: BetaSchedule.linear))
    let t = try query.integer("t", in: 0...process.count - 1, default: 250)
    let level = process.level(at: t)
    let shown = PlaneData.count
    let x0 = data.points[0..<shown]
    var random = RandomSource(seed: data.key.seed ^ 0xE95)
    let epsilon = random.normal(x0.shape)
    let levels = Array(repeating: level, count: shown)
    let xt = noised(x0, noise: epsilon, levels: levels)
    let exact = ExactDenoiser(data.points)
    let places = grid()
    func meanSquare(_ x: Tensor) -> Double { Double(x.square().mean().item()) }
    let before = t == 0 ? 1 : process.alphaBars[t - 1]
    return Noise(
      data: rounded(x0), noisy: rounded(xt), labels: data.labels, classes: data.classes,
      places: rounded(places),
      noise: rounded(exact.noise(places, levels: Array(repeating: level, count: places.shape[0]))),
      beta: 1 - process.alphaBars[t] / before, alphaBar: process.alphaBars[t], signal: level.alpha,
      deviation: level.sigma, signalToNoise: level.signalToNoise, noisePower: meanSquare(epsilon),
      unknown: meanSquare(epsilon - exact.noise(xt, levels: levels)),
      curve: stride(from: 0, to: process.count, by: 9).map { [Double($0), process.alphaBars[$0]] })
  }.recorded([0, 50, 100, 250, 400, 600, 800, 999].map { ["t": "\($0)"] })

  /// Places on a square grid over the plane, row by row: [289, 2].
  static func grid() -> Tensor {
    let reach = PlaneData.reach
    let line = (0..<gridSide).map { reach * (2 * (Float($0) + 0.5) / Float(gridSide) - 1) }
    return Tensor(line.flatMap { y in line.flatMap { [$0, y] } }, [gridSide * gridSide, 2])
  }

  /// To a thousandth: what a picture shows, in fewer bytes.
  static func rounded(_ x: Tensor) -> StudioTensor {
    StudioTensor(x.array().map { ($0 * 1000).rounded() / 1000 }, Array(x.shape))
  }
}
