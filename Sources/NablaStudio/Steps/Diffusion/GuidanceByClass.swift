import NablaDiffusion
import NablaTensor

extension DiffusionStep {
  /// Samples of one class, the condition exaggerated: ε̂ = ε̂(x) + w·(ε̂(x | class) - ε̂(x)).
  struct Guidance: Encodable {
    var classes: [String]
    /// [400, 2] and their classes.
    var data: StudioTensor
    var labels: [Int32]
    /// [300, 2].
    var samples: StudioTensor
    var share, spread: Double
    /// The spread of the class's own data.
    var spreadOfData: Double
    /// [w, share of samples that lie in the class, spread relative to the data's].
    var curve: [[Double]]
  }

  static let guidance = Computation.answer("guidance") { query, _ in
    let model = try PlaneModel.asked(query)
    let (data, classes) = (model.data, model.data.classes)
    let label = try query.integer("class", in: 0...7, default: 0) % classes.count
    let scale = try query.number("w", in: 0...10, default: 2)
    let own = (0..<PlaneData.count).filter { data.labels[$0] == Int32(label) }
    let spreadOfData = spread(data.points.gather(Tensor(own.map(Int32.init))))
    let samples = try guided(model, label, scale)
    return Guidance(
      classes: classes, data: rounded(data.points[0..<400]), labels: Array(data.labels[..<400]),
      samples: rounded(samples),
      share: share(samples, in: label, data), spread: spread(samples), spreadOfData: spreadOfData,
      curve: try [0, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 10].map { w in
        let samples = try guided(model, label, w)
        return [w, share(samples, in: label, data), spread(samples) / spreadOfData]
      })
  }.recorded(["0", "1", "2", "4", "8"].flatMap { w in ["0", "1"].map { ["w": w, "class": $0] } })

  private static func guided(_ model: PlaneModel, _ label: Int, _ scale: Double) throws -> Tensor {
    var random = RandomSource(seed: model.key.data.seed ^ 0x6D)
    let steps = try PlaneModel.process.steps(20)
    let denoiser = model.denoiser(label: label).guided(by: scale, against: model.denoiser())
    return DDIM().sample(
      initialNoise([300, 2], at: steps[0], random: &random), denoiser, along: steps, random: &random)
  }

  /// The share of samples that lie in the class: by the shape's own rule, else by the nearest of the data.
  static func share(_ samples: Tensor, in label: Int, _ data: PlaneData) -> Double {
    let numbers = samples.array()
    let nearest = data.key.shape == .drawn ? nearestExamples(samples, among: data.points).map(\.index) : []
    let count = samples.shape[0]
    let hits = (0..<count).filter { i in
      (data.label(of: SIMD2(numbers[2 * i], numbers[2 * i + 1])) ?? Int(data.labels[nearest[i]])) == label
    }
    return Double(hits.count) / Double(count)
  }

  /// The root mean square distance from the mean.
  static func spread(_ points: Tensor) -> Double {
    let centered = points - points.mean(axis: 0, keepingDimension: true)
    return Double(centered.square().sum(axis: 1).mean().squareRoot().item())
  }
}
