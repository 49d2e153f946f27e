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
      """)

  @Argument(
    help: ArgumentHelp("Run folder of 'nabla diffusion train'.", valueName: "run"), completion: .directory)
  var runFolder: String
  @Option(help: ArgumentHelp("Path of the data, if it has moved.", valueName: "path")) var data: String?
  @Option(help: ArgumentHelp("Number of samples.", valueName: "n")) var count = 1000
  @OptionGroup var sampling: SamplerOptions
  @Flag(help: "Output as one JSON object.") var json = false
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if !(2...100_000).contains(count) { throw ValidationError("--count must be between 2 and 100000, not \(count)") }
  }

  func run() throws {
    compute.apply()
    let result = try DiffusionModel.evaluate(
      runFolder, data: data, count: count, options: sampling.options, seed: sampling.seed)
    if json {
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
      return try show(JSONValue.object(object).serialized() + "\n")
    }
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
    try show(text)
  }
}
