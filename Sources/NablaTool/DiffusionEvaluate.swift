import ArgumentParser
import Nabla

struct DiffusionEvaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure how near samples of a model come to its data.",
    usage: "nabla diffusion evaluate <run> [options]",
    discussion: """
      For points, the sliced 2-Wasserstein distance to data, with the distance of two sets of data of the same size: no \
      model can be expected below that floor. For data from files, the distance from samples to their nearest training \
      examples, beside that of data which were held back: samples much nearer than those are memorized.
      """)

  @Argument(
    help: ArgumentHelp("A run folder of 'nabla diffusion train'.", valueName: "run"), completion: .directory)
  var runFolder: String
  @Option(help: ArgumentHelp("Where the data are now, if not where they were.", valueName: "path")) var data: String?
  @Option(help: ArgumentHelp("Samples to measure.", valueName: "n")) var count = 1000
  @OptionGroup var sampling: SamplerOptions
  @Flag(help: "Print one JSON object.") var json = false
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
      text += "nearest example      \(rounded(nearest.median)) in the median, \(rounded(nearest.least)) at least\n"
    }
    if let held = result.nearestOfHeldOut {
      text += "of data held back    \(rounded(held.median)) in the median, \(rounded(held.least)) at least\n"
    }
    try show(text)
  }
}
