import NablaFormats
import NablaReport
import NablaTraining

extension DiffusionTrainer.Setup {
  var summary: RunSummary {
    let shape = form.shape.map(String.init).joined(separator: " × ")
    let name = source.split(separator: "/").last.map(String.init) ?? source
    let count = data.count.map { ": \(grouped(Double($0))) of \(shape) numbers" } ?? ": points of \(shape) numbers"
    let objective =
      switch configuration.objective {
      case .ddpm: "Denoising diffusion (DDPM)"
      case .score: "Score matching"
      case .edm: "EDM"
      case .flow: "Flow matching"
      }
    let network =
      switch form.network(for: configuration) {
      case .mlp: "an MLP"
      case .unet: "a U-Net"
      case .dit: "a diffusion transformer"
      }
    return RunSummary(
      model: "\(objective) with \(network)", data: name + count, parameterCount: parameterCount)
  }
}

extension DiffusionTrainer {
  public var summary: RunSummary { setup.summary }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run: the objective, curves, and samples along the way.
  ///
  /// - Throws: What reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let run = try RunContents(folder)
    let setup = try? folder.configuration(as: Setup.self)
    let path = shellQuoted(run.path)
    let equations = setup.map { Equation.objective(of: $0.configuration) } ?? []
    let commands = [
      NextCommand("Sample", "nabla diffusion sample \(path)"),
      NextCommand("Continue", "nabla diffusion train --resume \(path)"),
    ]
    let file = "\(run.path)/\(DiffusionPictures.file)"
    let pictures = pathExists(file) ? try readJSON(file, as: DiffusionPictures.self).sections : []
    return ReportPage(
      run,
      [
        run.summarySection(
          summary: setup?.summary,
          facts: median(run.metrics["examples_per_second"]).map {
            [ReportFact("Throughput", "\(amount($0)) examples/s", "median")]
          } ?? [], commands: commands),
        equations.isEmpty ? nil : ReportSection(id: "objective", title: "The objective", equations: equations),
        run.curvesSection(
          loss: LossChart(caption: "Mean squared error of what the network predicts, weighted as in training."),
          comparisons: noiseLevels(run.metrics).map { [$0] } ?? [], known: diffusionMetrics),
        run.samplesSection(
          caption: setup.map { $0.form.isImages } ?? true ? "" : "Blue: samples of the model. Gray: the data."),
      ] + pictures + [run.configurationSection()])
  }
}

private let diffusionMetrics = [
  MetricChart(
    name: "examples_per_second", id: "throughput-examples", title: "Throughput",
    caption: "Training examples per second.", axis: "examples/s", format: .scaled, color: "accent",
    isSmoothed: true, startsAtZero: true)
]

/// The validation loss by noise level: where denoising is hard, and where more training helps.
private func noiseLevels(_ metrics: RunMetrics) -> ComparisonChart? {
  let bands = metrics.names.filter { $0.hasPrefix("validation_loss_noise_") }.sorted()
  guard bands.count > 1 else { return nil }
  let colors = ["accent", "third", "muted", "second", "alert"]
  let lines = bands.enumerated().map { index, name in
    let label = index == 0 ? "least noise" : index == bands.count - 1 ? "most noise" : "part \(index + 1)"
    return ComparisonChart.Line(name, label, color: colors[index % colors.count])
  }
  return ComparisonChart(
    id: "noise", title: "Validation loss by noise level",
    caption: "The noise levels drawn in training, in equal parts from least to most noise.", axis: "loss", lines: lines)
}
