import Glibc
import NablaFormats
import NablaNN
import NablaTensor
import NablaTraining

/// How samples of a class or a caption look to a classifier that was trained on the data.
public struct ImageEvaluation: Sendable {
  public var count: Int
  /// Classes, or first words of captions.
  public var classCount: Int
  /// The classifier's accuracy on held-out images.
  public var accuracy: Double
  public var heldOutCount: Int
  /// The fraction of samples that it assigns to the requested class.
  public var recognized: Double
  /// The 95 % confidence interval of that fraction (Wilson 1927).
  public var interval: ClosedRange<Double>
  /// Fréchet distances in the classifier's features to images that the model was trained on.
  public var distances: Distances
  /// Held-out captions whose words occur in training only in other combinations.
  public var isOfCaptions: Bool

  /// Of as many images each.
  public struct Distances: Sendable, Hashable {
    public var samples: Double
    /// Of held-out data: the floor.
    public var floor: Double
    /// Of images of noise, uniform in -1 … 1.
    public var noise: Double
    /// Of the mean image of the requested class.
    public var means: Double
  }
}

extension DiffusionModel {
  /// Judges samples by a classifier.
  ///
  /// - Parameters:
  ///   - run: A run of images with classes or captions.
  ///   - path: Weights of a classifier; if the file does not exist, one is trained on the run's data and saved there.
  ///   - source: The path of the data, if it has moved.
  ///   - count: The number of samples.
  ///   - options: The sampler, its steps and guidance.
  ///   - seed: Of the noise.
  ///   - observe: Called with the progress of the classifier's training.
  /// - Throws: `ConfigurationError` for data without classes; ``DataError`` naming a file.
  public static func evaluateImages(
    _ run: String, classifier path: String, data source: String? = nil, count: Int = 1000,
    options: DiffusionSampling = DiffusionSampling(), seed: UInt64 = 1,
    observe: (_ step: Int, _ total: Int, _ loss: Double) throws -> Void = { _, _, _ in }
  ) throws -> ImageEvaluation {
    let (model, data) = try loadWithData(run, data: source)
    guard let labeling = data.labeling, labeling.held.count > 1 else {
      throw ConfigurationError(
        """
        \(setting: "classifier") needs images of two classes or more, or with captions, at least two of them held \
        out: \(run) has \(data.labeling?.held.count ?? 0)
        """)
    }
    let classifier = try Self.classifier(at: path, data, labeling, observe: observe)
    let held = data.batch(of: labeling.held).data
    // The conditions: classes in turn, or held-out captions in turn.
    let asked: [Int] = (0..<count).map { i in
      model.form.classNames == nil
        ? labeling.held[i % labeling.held.count] : labeling.trainedClasses[i % labeling.trainedClasses.count]
    }
    let wanted = model.form.classNames == nil ? asked.map { labeling.labels[$0]! } : asked
    let conditions: Conditions =
      model.form.classNames == nil ? data.batch(of: asked).conditions : .classes(asked.map { Int32($0) })
    let samples = try model.sampleInParts(count, options, conditions: conditions, seed: seed)

    var random = RandomSource(seed: seed)
    let some = random.permutation(labeling.training.count).prefix(10_000).map { labeling.training[$0] }
    let features = classifier.allFeatures(data.batch(of: some).data)
    let means = (0..<labeling.names.count).map { label -> Tensor in
      let rows = some.filter { labeling.labels[$0] == label }
      return rows.isEmpty ? held[0..<1] : data.batch(of: rows).data.mean(axis: 0, keepingDimension: true)
    }
    let rows = min(count, labeling.held.count)
    func distance(_ images: Tensor) -> Double { frechetDistance(classifier.allFeatures(images), features) }
    let right = zip(classifier.classes(samples), wanted).count { Int($0) == $1 }
    return ImageEvaluation(
      count: count, classCount: labeling.names.count,
      accuracy: classifier.accuracy(held, labeling.held.map { Int32(labeling.labels[$0]!) }),
      heldOutCount: labeling.held.count, recognized: Double(right) / Double(count),
      interval: wilsonInterval(right, of: count),
      distances: ImageEvaluation.Distances(
        samples: distance(samples[0..<rows]), floor: distance(held[0..<rows]),
        noise: distance(random.uniform(Shape([rows] + model.form.shape), in: -1..<1)),
        means: distance(Tensor.concatenate(wanted.prefix(rows).map { means[$0] }, axis: 0))),
      isOfCaptions: model.form.classNames == nil)
  }

  private static func classifier(
    at path: String, _ data: DiffusionData, _ labeling: ImageLabeling,
    observe: (_ step: Int, _ total: Int, _ loss: Double) throws -> Void
  ) throws -> ImageClassifier {
    if pathExists(path) {
      var random = RandomSource(seed: 0)
      let classifier = ImageClassifier(
        shape: data.form.shape, classCount: labeling.names.count, random: &random)
      try classifier.load(path)
      return classifier
    }
    // Small data sets are seen more often.
    let epochs = max(4, min(60, 200_000 / labeling.training.count))
    let classifier = try ImageClassifier.trained(
      shape: data.form.shape, classCount: labeling.names.count, examples: labeling.training.count, epochs: epochs,
      batch: { places in
        let rows = places.map { labeling.training[$0] }
        return (data.batch(of: rows).data, rows.map { Int32(labeling.labels[$0]!) })
      }, observe: observe)
    try classifier.save(to: path)
    return classifier
  }

  /// Samples a hundred at a time, in bounded memory.
  func sampleInParts(
    _ count: Int, _ options: DiffusionSampling, conditions: Conditions, seed: UInt64
  ) throws -> Tensor {
    try Tensor.concatenate(
      stride(from: 0, to: count, by: 100).map { start in
        let rows = start..<min(start + 100, count)
        return try sample(rows.count, options, conditions: conditions[rows], seed: seed &+ UInt64(start))
      }, axis: 0)
  }
}

extension DiffusionModel {
  /// The likelihood of held-out data, through the probability-flow ODE.
  public struct Likelihood: Sendable, Hashable {
    public var count: Int
    /// The mean of -ln p, in nats for points; for images in bits per dimension, of uniformly dequantized
    /// pixels.
    public var value: Double
    public var standardError: Double
    public var isBitsPerDimension: Bool
  }

  /// - Parameters:
  ///   - run: A run of score, edm or flow, with held-out data.
  ///   - source: The path of the data, if it has moved.
  ///   - count: The number of examples.
  ///   - steps: Steps of the fourth-order solver, each with four evaluations and gradients.
  ///   - seed: For images, of the noise that makes pixels continuous, and of the probes.
  /// - Throws: `ConfigurationError` for the discrete process, which has no such ODE.
  public static func likelihood(
    _ run: String, data source: String? = nil, count: Int = 64, steps: Int = 25, seed: UInt64 = 1
  ) throws -> Likelihood {
    let (model, data) = try loadWithData(run, data: source)
    let configuration = model.configuration
    try model.requireLikelihood()
    guard let held = data.validation(count) else {
      throw ConfigurationError("\(setting: "likelihood") needs held-out data: \(run) has none")
    }
    var random = RandomSource(seed: seed)
    let flow = ProbabilityFlow(
      configuration.continuousProcess(deviation: model.form.deviation), solver: .rungeKutta4)
    var values: [Double] = []
    for start in stride(from: 0, to: held.data.shape[0], by: 16) {
      let rows = start..<min(start + 16, held.data.shape[0])
      var x = held.data[rows]
      if model.form.isImages { x = x + (random.uniform(x.shape) - 0.5) * Tensor(Float(1 / 127.5)) }
      let denoiser = model.denoiser(held.conditions[rows]).thresholded(.none)
      let found = flow.logLikelihood(
        x, denoiser, steps: steps, spacing: configuration.objective == .edm ? .karras() : .uniform,
        divergence: model.form.isImages ? .hutchinson : .exact, random: &random)
      let dimensions = model.form.shape.reduce(1, *)
      values += found.logLikelihood.map { value in
        // Points were divided by standard deviations, which scales their density in each dimension.
        model.form.isImages
          ? bitsPerDimension(logLikelihood: value, dimensions: dimensions)
          : -value + model.form.scale!.deviations.reduce(0) { $0 + log(Double($1)) }
      }
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(values.count - 1, 1))
    return Likelihood(
      count: values.count, value: mean, standardError: (variance / Double(values.count)).squareRoot(),
      isBitsPerDimension: model.form.isImages)
  }

  /// - Throws: `ConfigurationError` for a model of the discrete process.
  public func requireLikelihood() throws(ConfigurationError) {
    try require(
      configuration.objective != .ddpm,
      "\(setting: "likelihood") needs a continuous process, and ddpm is discrete: train with score, edm or flow")
  }

  /// - Throws: `ConfigurationError` for a model whose data a classifier cannot tell apart.
  public func requireClassifier() throws(ConfigurationError) {
    try require(
      form.isImages && (form.classNames != nil || form.vocabulary != nil),
      "\(setting: "classifier") needs images with classes or captions, which this model was not trained with")
  }

  /// The model of a run with the data it was trained on.
  static func loadWithData(_ run: String, data source: String?) throws -> (DiffusionModel, DiffusionData) {
    let model = try load(run)
    let setup = try TrainingRun<DiffusionTrainer>.setup(of: RunFolder.open(run))
    let source = source ?? setup.source(of: run)
    let data = try DiffusionData(source, setup.configuration)
    guard data.description.hash == setup.data.hash else {
      throw DataError(file: source, problem: "not the data that \(run) was trained on")
    }
    return (model, data)
  }
}

/// The 95 % confidence interval of a proportion (Wilson 1927).
func wilsonInterval(_ successes: Int, of count: Int) -> ClosedRange<Double> {
  let (z, n) = (1.959964, Double(count))
  let share = Double(successes) / n
  let center = (share + z * z / (2 * n)) / (1 + z * z / n)
  let half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)).squareRoot()
  return max(0, center - half)...min(1, center + half)
}
