import NablaDiffusion
import NablaNN
import NablaTensor
import NablaTraining

/// Two small networks that learned one distribution of the plane: one tells noise by its look (DDPM), one tells the way
/// from noise to data (flow matching). Both were told the class of most examples, so that guidance has something to go by.
struct PlaneModel: Sendable {
  struct Key: Hashable, Sendable {
    var data: PlaneData.Key
    var steps: Int
    var width: Int
  }

  let data: PlaneData
  let key: Key
  /// The networks' parameters by name.
  let noise, flow: [String: Tensor]

  static let process: DiscreteProcess = {
    do { return try DiscreteProcess(.linear) } catch { preconditionFailure("\(error)") }
  }()
  private static let kept = Kept<Key, PlaneModel>(most: 8)

  /// The model that a query asks for; trained now if it has not been.
  static func asked(_ query: StudioQuery) throws -> PlaneModel {
    let data = try PlaneData(query)
    let key = try key(query, data)
    return try kept.value(for: key) { try PlaneTraining(data, key).finished() }
  }

  static func key(_ query: StudioQuery, _ data: PlaneData) throws(StudioError) -> Key {
    Key(
      data: data.key, steps: try query.integer("steps", in: 50...8000, default: 700),
      width: try query.integer("width", in: 8...128, default: 64))
  }

  func keep() { Self.kept.keep(self, for: key) }

  /// ε̂ as samplers use it.
  ///
  /// - Parameter label: The class that every sample is told; nil for none.
  func denoiser(label: Int? = nil) -> Denoiser {
    let network = network(noise, timeScale: 1 / Double(Self.process.count))
    return Denoiser(predicting: .noise) { x, step in
      network(x, .full([x.shape[0]], Float(step.time)), labels: labels(label, x))
    }
  }

  /// The velocity of the flow, as samplers use it.
  var flowDenoiser: Denoiser {
    let network = network(flow, timeScale: 1)
    return FlowObjective().denoiser { x, times in network(x, times) }
  }

  private func network(_ parameters: [String: Tensor], timeScale: Double) -> DenoisingMLP {
    let network = PlaneTraining.network(key, data, timeScale: timeScale)
    network.apply { parameters[$0.name]! }
    return network
  }

  private func labels(_ label: Int?, _ x: Tensor) -> Tensor? {
    label.map { Tensor(Array(repeating: Int32($0), count: x.shape[0])) }
  }
}

/// How it is trained, a step after the other.
struct PlaneTraining {
  let data: PlaneData
  let key: PlaneModel.Key
  private(set) var count = 0
  private let objective: DDPMObjective
  private let noise, flow: DenoisingMLP
  private var optimizations: (noise: OptimizationStep, flow: OptimizationStep)
  private var random: RandomSource

  static let batchSize = 256
  /// The share of examples whose class is withheld.
  static let conditionDropout = 0.2

  init(_ data: PlaneData, _ key: PlaneModel.Key) throws {
    (self.data, self.key) = (data, key)
    objective = try DDPMObjective(PlaneModel.process)
    noise = Self.network(key, data, timeScale: 1 / Double(PlaneModel.process.count))
    flow = Self.network(key, data, timeScale: 1)
    func optimization(_ network: DenoisingMLP) -> OptimizationStep {
      OptimizationStep(
        AdamW(learningRate: cosine(peak: 5e-3, warmup: 20, total: key.steps), weightDecay: 0), clip: 1,
        average: MovingAverage(of: network, decay: 0.99, warmupPower: 0.75))
    }
    optimizations = (optimization(noise), optimization(flow))
    random = RandomSource(seed: key.data.seed ^ 0x7EA1)
  }

  static func network(_ key: PlaneModel.Key, _ data: PlaneData, timeScale: Double) -> DenoisingMLP {
    var random = RandomSource(seed: key.data.seed)
    return DenoisingMLP(
      dimensions: 2, width: key.width, depth: 2, timeScale: timeScale, labels: data.classes.count, random: &random)
  }

  var isFinished: Bool { count >= key.steps }

  /// One step of each network; their losses. On one thread: the products are too small to share out.
  mutating func take() throws -> (noise: Double, flow: Double) { try Threads.with(1) { try step() } }

  private mutating func step() throws -> (noise: Double, flow: Double) {
    let chosen = (0..<Self.batchSize).map { _ in Int.random(in: 0..<PlaneData.count, using: &random) }
    let x0 = data.points.gather(Tensor(chosen.map(Int32.init)))
    let labels = droppingConditions(
      Tensor(chosen.map { data.labels[$0] }), probability: Self.conditionDropout, none: data.classes.count,
      random: &random)
    let (noisy, onTheWay) = (objective.example(x0, random: &random), FlowObjective().example(x0, random: &random))
    func taken(_ optimization: inout OptimizationStep, _ network: DenoisingMLP, _ example: DenoisingExample) throws
      -> Double
    {
      try optimization.take(
        on: network,
        [
          MicroBatch(weight: 1) { network in
            denoisingLoss(
              network(example.input, example.times, labels: labels), target: example.target, weights: example.weights)
          }
        ]
      ).loss
    }
    count += 1
    return (try taken(&optimizations.noise, noise, noisy), try taken(&optimizations.flow, flow, onTheWay))
  }

  /// The model with the averaged weights of now.
  var model: PlaneModel {
    PlaneModel(
      data: data, key: key, noise: optimizations.noise.average?.tensors ?? [:],
      flow: optimizations.flow.average?.tensors ?? [:])
  }

  func finished() throws -> PlaneModel {
    var training = self
    while !training.isFinished { _ = try training.take() }
    return training.model
  }
}
