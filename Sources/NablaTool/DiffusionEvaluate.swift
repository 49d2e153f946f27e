import ArgumentParser
import Nabla

struct DiffusionEvaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure the distance between a model's samples and its data.",
    usage: "nabla diffusion evaluate <run> [options]",
    discussion: """
      For points, the sliced 2-Wasserstein distance to the data, with the distance of two sets of data of the same \
      size, a floor that no model can be expected to beat. For data from files, the distance from samples to their \
      nearest training examples, next to that of held-out data: samples much closer than those are memorized.

      For images with classes or captions, --classifier judges the samples with a small network that is trained on the \
      run's data once and saved in the file: the fraction of samples that it assigns to the requested class (for \
      captions, the first word of held-out captions), and the Fréchet distance to the data in its features, next to \
      those of held-out data, noise and mean images.
      """)

  @Argument(
    help: ArgumentHelp("Run folder of 'nabla diffusion train'.", valueName: "run"), completion: .directory)
  var runFolder: String
  @Option(help: ArgumentHelp("Path of the data, if it has moved.", valueName: "path")) var data: String?
  @Option(help: ArgumentHelp("Number of samples.", valueName: "n")) var count = 1000
  @Option(
    help: ArgumentHelp("Weights of a classifier (.safetensors); trained and written if missing.", valueName: "file"),
    completion: .file())
  var classifier: String?
  @Option(
    help: ArgumentHelp(
      "Number of held-out examples for the likelihood, in nats for points and bits per dimension for images.",
      valueName: "n"))
  var likelihood: Int?
  @OptionGroup var sampling: SamplerOptions
  @Flag(help: "Output as one JSON object.") var json = false
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if !(2...100_000).contains(count) { throw ValidationError("--count must be between 2 and 100000, not \(count)") }
    if let likelihood, !(1...100_000).contains(likelihood) {
      throw ValidationError("--likelihood must be between 1 and 100000, not \(likelihood)")
    }
  }

  func run() throws {
    compute.apply()
    let model = try DiffusionModel.load(runFolder)
    if likelihood != nil { try model.requireLikelihood() }
    if classifier != nil { try model.requireClassifier() }
    let result = try DiffusionModel.evaluate(
      runFolder, data: data, count: count, options: sampling.options, seed: sampling.seed)
    let images = try classifier.map { path in
      if !pathExists(path) { note("training a classifier") }
      return try DiffusionModel.evaluateImages(
        runFolder, classifier: path, data: data, count: count, options: sampling.options, seed: sampling.seed
      ) { step, total, loss in
        if step % 500 == 0 || step == total { note("classifier: step \(step) of \(total), loss \(rounded(loss))") }
      }
    }
    let density = try likelihood.map {
      try DiffusionModel.likelihood(
        runFolder, data: data, count: $0, steps: sampling.steps ?? 25, seed: sampling.seed)
    }
    try show(
      json
        ? JSONValue.object(object(result, images, density)).serialized() + "\n"
        : text(result) + (images.map(text) ?? "") + (density.map(text) ?? ""))
  }

  private func object(
    _ result: DiffusionEvaluation, _ images: ImageEvaluation?, _ density: DiffusionModel.Likelihood?
  ) -> JSONObject {
    var object = JSONObject([("count", .integer(result.count))])
    if let (distance, floor) = result.slicedWasserstein {
      object["sliced_wasserstein"] = .number(distance)
      object["sliced_wasserstein_floor"] = .number(floor)
    }
    if let nearest = result.nearest {
      object["nearest_median"] = .number(nearest.median)
      object["nearest_least"] = .number(nearest.least)
    }
    if let held = result.nearestOfHeldOut {
      object["held_out_nearest_median"] = .number(held.median)
      object["held_out_nearest_least"] = .number(held.least)
    }
    if let images {
      object["classifier_accuracy"] = .number(images.accuracy)
      object["recognized"] = .number(images.recognized)
      object["recognized_interval"] = images.interval.json
      object["chance"] = .number(1 / Double(images.classCount))
      object["frechet"] = .number(images.distances.samples)
      object["frechet_floor"] = .number(images.distances.floor)
      object["frechet_noise"] = .number(images.distances.noise)
      object["frechet_means"] = .number(images.distances.means)
    }
    if let density {
      object[density.isBitsPerDimension ? "bits_per_dimension" : "nats"] = .number(density.value)
      object["likelihood_standard_error"] = .number(density.standardError)
    }
    return object
  }

  private func text(_ result: DiffusionEvaluation) -> String {
    var text = "samples              \(grouped(result.count))\n"
    if let (distance, floor) = result.slicedWasserstein {
      text += """
        sliced Wasserstein   \(rounded(distance)), \(rounded(distance / floor)) times the floor
        two sets of data     \(rounded(floor)), the floor

        """
    }
    if let nearest = result.nearest {
      text += "nearest example      median \(rounded(nearest.median)), minimum \(rounded(nearest.least))\n"
    }
    if let held = result.nearestOfHeldOut {
      text += "of held-out data     median \(rounded(held.median)), minimum \(rounded(held.least))\n"
    }
    return text
  }

  private func text(_ images: ImageEvaluation) -> String {
    let share = { (value: Double) in significant(100 * value, digits: 3) + " %" }
    let distances = images.distances
    return """
      classifier           \(share(images.accuracy)) of \(grouped(images.heldOutCount)) held-out images, \
      \(images.classCount) \(images.isOfCaptions ? "first words of captions" : "classes")
      recognized           \(share(images.recognized)) of samples\
      \(images.isOfCaptions ? " for held-out captions" : ""), 95 %: \(ranged(images.interval, share)); \
      chance is \(share(1 / Double(images.classCount)))
      Fréchet distance     \(rounded(distances.samples)), in the classifier's features
      held-out data        \(rounded(distances.floor)), the floor
      noise                \(rounded(distances.noise))
      mean images          \(rounded(distances.means))

      """
  }

  private func text(_ density: DiffusionModel.Likelihood) -> String {
    "likelihood           \(rounded(density.value)) ± \(rounded(density.standardError)) "
      + "\(density.isBitsPerDimension ? "bits per dimension" : "nats"), \(grouped(density.count)) held-out examples\n"
  }
}
