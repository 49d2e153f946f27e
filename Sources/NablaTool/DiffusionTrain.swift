import ArgumentParser
import Nabla

struct DiffusionTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train a diffusion model of images, points or tables.",
    usage: "nabla diffusion train <data> [options]\nnabla diffusion train --resume <run>",
    discussion: """
      The data are a 2-D set by name (\(PointSet.allCases.map(\.rawValue).joined(separator: ", "))), a .csv file of \
      numbers, an IDX file of images (optionally gzip-compressed, with its labels next to it), or a folder of PNG \
      images: subfolders are classes; file names or captions.jsonl are captions.

      The run folder contains the configuration, metrics, checkpoints, samples as images, a report to open in a \
      browser, and at the end the model. A UNet trained with ddpm is also saved in diffusers' format, \
      unless it has captions; with classes, load its unet folder, as diffusers' pipelines pass none.

      Ctrl-C (or SIGTERM) finishes the step, saves, prints how to resume, and exits with 0; a second one exits \
      immediately. Defaults below are for points, and for images if they differ.
      """)

  @Argument(help: "Data: a 2-D set such as moons, a CSV or IDX file, or a folder of PNG images.", completion: .file())
  var data: String?
  @OptionGroup var options: DiffusionOptions

  func validate() throws {
    guard options.run.resume == nil else { return }
    guard let data else {
      throw ValidationError("give the training data: a 2-D set such as moons, a file, or a folder of images")
    }
    // Missing data is reported, without the usage, when the command runs.
    if let source = try? DiffusionSource(data) { _ = try options.configuration(for: source) }
  }

  func run() throws {
    options.compute.apply()
    let display = RunDisplay("diffusion", options.run)
    let run: TrainingRun<DiffusionTrainer>
    if let resume = options.run.resume {
      run = try DiffusionTrainer.resume(resume, data: data, observe: display.observe)
      display.message("resuming \(resume) after step \(run.trainer.progress.done) of \(run.trainer.progress.total)")
    } else {
      let configuration = try options.configuration(for: DiffusionSource(data!))
      run = try TrainingRun(DiffusionTrainer(data: data!, configuration), at: options.run.output)
    }
    let (setup, path) = (run.trainer.setup, run.folder.path)
    display.message("data: \(run.trainer.dataSummary)")
    display.message(
      "model: \(setup.configuration.objective.rawValue), \(grouped(setup.parameterCount)) parameters\nrun: \(path)")
    guard try display.train(run, command: "diffusion train") else { return }
    let kind = setup.form.isImages ? "--count 64" : "--count 1000"
    display.message(
      """
      model:  \(path)/model
      report: \(path)/report.html (open it in a browser)
      next:   \(toolName) diffusion sample \(shellQuoted(path)) \(kind) --output samples.png
      """)
  }
}

/// Every flag of `nabla diffusion train`.
struct DiffusionOptions: ParsableArguments {
  @OptionGroup var run: RunOptions
  @OptionGroup(title: "Settings") var settings: SettingFlags<Settings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct Settings: SettingTable {
    static let flags = DiffusionConfiguration.settings.map {
      SettingFlag($0, defaults: [("points", .points), ("images", .images)])
    }
  }

  func validate() throws { try run.refuse(settings.first) }

  /// The setup of a new run.
  func configuration(for source: DiffusionSource) throws -> DiffusionConfiguration {
    try namingFlags { () throws(ConfigurationError) in
      var configuration: DiffusionConfiguration = source.isImages ? .images : .points
      for (name, text) in settings.given.sorted(by: { $0.key < $1.key }) { try configuration.set(name, to: text) }
      // A short run has a warmup of a tenth of its steps, unless it is given.
      if settings.given["warmup"] == nil { configuration.warmup = min(configuration.warmup, configuration.steps / 10) }
      try configuration.validate()
      return configuration
    }
  }
}
