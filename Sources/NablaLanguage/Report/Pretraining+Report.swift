import NablaFormats
import NablaNN
import NablaReport
import NablaTraining

extension TransformerConfiguration {
  /// "6 layers, hidden size 384, 6 heads, context 256, vocabulary 256".
  package var inWords: String {
    let heads = keyValueHeadCount == headCount ? "" : " (\(keyValueHeadCount) key/value)"
    return
      "\(layerCount) layers, hidden size \(grouped(width)), \(headCount) heads\(heads), context \(grouped(context)), "
      + "vocabulary \(grouped(vocabularySize))"
  }
}

extension Pretraining.Setup {
  var summary: RunSummary {
    let sizes =
      "\(scaled(Double(data.bytes), [" B", " kB", " MB", " GB", " TB"])), \(amount(Double(data.tokens))) tokens"
    return RunSummary(
      model: model.inWords, data: "\(RunSummary.names(of: data.paths)): \(sizes)", parameterCount: parameterCount)
  }
}

extension Pretraining {
  public var summary: RunSummary { setup.summary }

  public func writeReport(in run: RunFolder) throws { try Self.report(of: run).write(to: run) }

  /// The page of a run: curves, samples, attention, positions and cost.
  ///
  /// - Throws: `ReportError` when `analysis.json` is malformed, and what reading the run's files throws.
  public static func report(of folder: RunFolder) throws -> ReportPage {
    let run = try RunContents(folder)
    let analysis = try Analysis(contentsOfFile: Analysis.path(in: folder))
    let path = shellQuoted(run.path)
    return ReportPage(
      run,
      [
        run.summarySection(
          summary: (try? folder.configuration(as: Setup.self))?.summary,
          commands: [
            NextCommand("Generate", "nabla generate \(path) --prompt \"…\""),
            NextCommand("Continue", "nabla pretrain --resume \(path)"),
          ]),
        run.languageCurves(equations: [.crossEntropy]),
        run.samplesSection(), try attentionSection(analysis), headsSection(analysis),
        try positionsSection(analysis), costSection(analysis?.cost),
        run.configurationSection(),
      ])
  }
}

extension RunContents {
  /// The training curves of a pretraining run.
  package func languageCurves(equations: [Equation]) -> ReportSection? {
    var section = curvesSection(
      loss: LossChart(caption: "Mean cross-entropy of the next token, in nats.", axis: "nats per token"),
      known: languageMetrics)
    section?.equations = equations
    return section
  }
}

private let languageMetrics = [
  MetricChart(
    name: "validation_bits_per_byte", id: "bits", title: "Validation bits per byte",
    caption: "The loss per byte of text: comparable between tokenizers. Lower is better.",
    axis: "bits per byte", color: "second"),
  MetricChart(
    name: "validation_perplexity", id: "perplexity", title: "Validation perplexity",
    caption: "exp(validation loss): as uncertain as a uniform choice among that many tokens. Lower is better.",
    axis: "perplexity", color: "second"),
]
