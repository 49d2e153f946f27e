import ArgumentParser
import Nabla

struct DiffusionSample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", abstract: "Generate images or points with a trained model.",
    usage: "nabla diffusion sample <run> --output <file> [options]",
    discussion: """
      Images become a grid in one PNG file. Points become a .csv file, or a scatter plot in a .png file.

      Try it:
        nabla diffusion sample runs/icons --prompt "page add" --guidance 3 \\
          --output pages.png
        nabla diffusion sample runs/icons --inpaint icon.png --mask mask.png \\
          --output filled.png
      """)

  @Argument(
    help: ArgumentHelp("Run folder of 'nabla diffusion train', or its model folder.", valueName: "run"),
    completion: .directory)
  var runFolder: String
  @Option(help: ArgumentHelp("Number of samples.", valueName: "n")) var count = 64
  @OptionGroup var sampling: SamplerOptions
  @Option(name: .customLong("class"), help: ArgumentHelp("Class of the samples, by name or number.", valueName: "name"))
  var className: String?
  @Option(help: ArgumentHelp("Caption of the samples, in words of the training data.", valueName: "text"))
  var prompt: String?
  @Flag(help: "Interpolation between two noise samples.") var interpolate = false
  @Option(help: ArgumentHelp("Image to inpaint; kept where --mask is white.", valueName: "file"), completion: .file())
  var inpaint: String?
  @Option(
    help: ArgumentHelp(
      "Mask: a PNG image of the same size, white where --inpaint is kept, black where it is generated.",
      valueName: "file"), completion: .file())
  var mask: String?
  @Option(
    help: ArgumentHelp("Output: a .png file, or for points a .csv file.", valueName: "file"), completion: .file())
  var output: String
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func validate() throws {
    if !(1...100_000).contains(count) { throw ValidationError("--count must be between 1 and 100000, not \(count)") }
    if className != nil, prompt != nil { throw ValidationError("give --class or --prompt, not both") }
    if (inpaint == nil) != (mask == nil) { throw ValidationError("--inpaint and --mask must be given together") }
    if !output.hasSuffix(".png"), !output.hasSuffix(".csv") {
      throw ValidationError("--output must be a .png or .csv file, not '\(output)'")
    }
  }

  func run() throws {
    compute.apply()
    let model = try DiffusionModel.load(runFolder, warn: { note("warning: \($0)") })
    if model.form.isImages, output.hasSuffix(".csv") {
      throw ValidationError("--output: this model generates images: give a .png file")
    }
    let conditions = try model.conditions(count: count, class: className, caption: prompt)
    if sampling.guidance != 1, conditions == .none {
      throw ValidationError("--guidance requires --class or --prompt")
    }
    let known = try inpaint.map { try model.knownData(image: $0, mask: mask!) }
    let samples = try model.sample(
      count, sampling.options, conditions: conditions, keeping: known, interpolates: interpolate, seed: sampling.seed)
    if output.hasSuffix(".csv") {
      try AtomicFile.write(csv(samples, model.form.columnNames), to: output)
    } else {
      let picture =
        model.form.isImages ? sampleGrid(samples) : scatterPicture(samples, beside: samples)
      try AtomicFile.write(PNG.data(picture), to: output)
    }
    note("\(grouped(count)) \(model.form.isImages ? "images" : "points"): \(output)")
  }

  private func csv(_ points: Tensor, _ names: [String]?) -> String {
    let (numbers, columns) = (points.array(), points.shape[1])
    let header = names.map { $0.map { $0.contains(",") ? "\"\($0)\"" : $0 }.joined(separator: ",") + "\n" } ?? ""
    let rows = stride(from: 0, to: numbers.count, by: columns).map { start in
      numbers[start..<start + columns].map { "\($0)" }.joined(separator: ",") + "\n"
    }
    return header + rows.joined()
  }
}
