import NablaTensor
import NablaTraining

/// The distance of samples from the data, in measures with a known noise floor.
public struct DiffusionEvaluation: Sendable {
  public var count: Int
  /// The sliced Wasserstein distance to data, and that of two sets of data of the same size; nil for images.
  public var slicedWasserstein: (distance: Double, floor: Double)?
  /// Of each sample, the distance to the nearest training example; nil for sets, which have none.
  public var nearest: (median: Double, least: Double)?
  /// The same for held-out data: much smaller distances of samples indicate memorization. Nil without any.
  public var nearestOfHeldOut: (median: Double, least: Double)?
}

extension DiffusionModel {
  /// Measures samples against the data of a run.
  ///
  /// - Parameters:
  ///   - run: The folder of a run.
  ///   - source: The path of the data, if it has moved.
  ///   - count: The number of samples.
  ///   - options: The sampler, its steps and guidance.
  ///   - seed: Of the noise.
  /// - Throws: ``DataError`` if the data are not those of the run, and what `sample(_:_:conditions:seed:)` throws.
  public static func evaluate(
    _ run: String, data source: String? = nil, count: Int = 1000, options: DiffusionSampling = DiffusionSampling(),
    seed: UInt64 = 1
  ) throws -> DiffusionEvaluation {
    let (model, data) = try loadWithData(run, data: source)
    var random = RandomSource(seed: seed)
    let count = min(count, data.description.count ?? count)
    let conditions = data.conditions(count).conditions
    try require(
      conditions != .none || options.guidance == 1,
      "\(setting: "guidance") is for models with classes or captions: \(run) has neither")
    let samples = try model.sampleInParts(count, options, conditions: conditions, seed: seed)
    var result = DiffusionEvaluation(count: count)
    if !model.form.isImages {
      // Eight sets of data: a single one would be too noisy a reference.
      var (distance, floor) = (0.0, 0.0)
      for _ in 0..<8 {
        let fresh = data.examples(count, random: &random)
        distance += model.form.distance(samples, fresh, random: &random) / 8
        floor += model.form.distance(data.examples(count, random: &random), fresh, random: &random) / 8
      }
      result.slicedWasserstein = (distance, floor)
    }
    if !data.isDrawn {
      let training = model.form.comparable(data.trainingExamples)
      func distances(_ examples: Tensor) -> (median: Double, least: Double) {
        let sorted = nearestExamples(model.form.comparable(examples), among: training).map(\.distance).sorted()
        return (sorted[sorted.count / 2], sorted[0])
      }
      result.nearest = distances(samples)
      if let held = data.heldOutExamples(count) { result.nearestOfHeldOut = distances(held) }
    }
    return result
  }
}
