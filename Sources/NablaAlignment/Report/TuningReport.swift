import NablaFormats
import NablaLanguage
import NablaReport
import NablaTraining

extension TunedModel {
  /// What is trained on what, in words.
  ///
  /// - Parameter data: The files of the rows.
  package func summary(_ c: TuningConfiguration, data files: [String]) -> RunSummary {
    let kind =
      switch c.adapter {
      case .none: "all parameters"
      case .lora, .dora: "\(c.adapter == .dora ? "DoRA" : "LoRA") of rank \(c.loraRank)"
      }
    let base = source.base.split(separator: "/").last.map(String.init) ?? source.base
    let bits = source.quantization == .none ? "" : ", base in \(source.quantization.rawValue)"
    return RunSummary(
      model: "\(base), \(kind)\(bits): \(model.configuration.inWords)", data: RunSummary.names(of: files),
      parameterCount: model.parameterCount, trainedParameterCount: c.adapter == .none ? nil : trainedCount)
  }
}

extension ReportPage {
  /// The page of a run that tunes a language model: the objective, curves, and what the model writes.
  ///
  /// - Parameters:
  ///   - objective: Equations of the loss, the algorithm's own first.
  ///   - loss: How to draw the loss.
  ///   - comparisons: Charts of several of the algorithm's own metrics.
  ///   - known: How others of them are drawn.
  ///   - writesText: Whether the model can generate text.
  package init(
    tuning folder: RunFolder, _ configuration: TuningConfiguration?, objective: [Equation], loss: LossChart,
    comparisons: [ComparisonChart] = [], known: [MetricChart] = [], writesText: Bool = true
  ) throws {
    let run = try RunContents(folder)
    let path = shellQuoted(run.path)
    let adapter: [Equation] = configuration?.lora.map { [.adapter(of: $0)] } ?? []
    self.init(
      run,
      [
        run.summarySection(
          commands: (writesText ? [NextCommand("Generate", "nabla generate \(path) --prompt \"…\"")] : [])
            + [NextCommand("Continue", "nabla \(run.command) --resume \(path)")]),
        ReportSection(id: "objective", title: "The objective", equations: objective + adapter),
        run.curvesSection(loss: loss, comparisons: comparisons, known: known + tuningMetrics),
        run.samplesSection(), run.configurationSection(),
      ])
  }
}

private let tuningMetrics = [
  MetricChart(
    name: "eval_mean_token_accuracy", id: "accuracy", title: "Token accuracy",
    caption: "Fraction of held-out tokens that greedy decoding predicts correctly. Higher is better.", axis: "fraction",
    color: "second"),
  MetricChart(
    name: "epoch", id: "epoch", title: "Epochs", caption: "Passes over the training data.", axis: "epochs",
    color: "third", startsAtZero: true),
]
