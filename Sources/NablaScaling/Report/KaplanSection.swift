import NablaFormats
import Glibc
import NablaReport

extension ScalingReport {
  /// The optimal size by each law, and why the first two disagree.
  var kaplanSection: ReportSection {
    let range = 1e17...1e26
    let plot = LogPlot(
      x: computeAxis(range), y: .powers("optimal N", 1e6...1e14, label: countLabel))
    let laws: [(String, any ScalingLaw, String, String)] =
      [
        ("Kaplan et al. 2020", Kaplan.kaplan2020, "alert", ""),
        ("Hoffmann et al. 2022", Chinchilla.hoffmann, "muted", ""),
        ("Besiroglu et al. 2024", Chinchilla.besiroglu, "third", ""),
      ] + (fit == nil ? [] : [("this fit", law.law, "accent", "5 3")])
    let lines = laws.map { name, law, color, dash in
      plot.line(
        spaced(range).map { ($0, law.optimalAllocation(compute: $0).parameters) }, color: color, width: 2, dash: dash,
        title: name)
    }
    let models = PublishedModel.all.map {
      plot.dot(
        $0.allocation.compute, $0.allocation.parameters, color: "text", radius: 2.5, title: $0.name, isHollow: true)
    }
    let ladder = PorianStep.ladder.map { step in
      [
        step.change, significant(step.exponent, digits: 3),
        "\(significant(step.interval.lowerBound, digits: 2)) to \(significant(step.interval.upperBound, digits: 2))",
        countLabel(step.parameters),
      ]
    }
    return ReportSection(
      id: "sizes", title: "How large a model: Kaplan against Chinchilla",
      html: """
        <p>Kaplan et al. concluded that a larger budget should go into a larger model (N ∝ C<sup>0.73</sup>), Hoffmann et
        al. that it should go into model and data alike (N ∝ C<sup>0.5</sup>). Porian et al. (2024) reproduced the first
        result and turned it into the second, step by step.</p>
        <div class="charts">
        \(law.chinchilla.map(contourFigure) ?? "")
        \(figure(
          "Optimal size by law", plot.svg(id: "kaplan", label: "Optimal size over compute", lines + models),
          caption: "Rings: published models. Those up to PaLM are between the first law and the others.",
          key: laws.map { ($0.2, $0.0) }))
        </div>
        \(table(["step of Porian et al. (RefinedWeb)", "a in N ∝ C^a", "95 % interval", "N for Chinchilla's budget"], ladder))
        <p class="note">Pearce and Song (2024) explain most of the difference by counting: Kaplan et al. exclude
        the embeddings, N with them is about N + 47,491 N<sup>1/3</sup>, and at their small sizes that bends the
        line.</p>
        """)
  }
}

/// A step from Kaplan's exponent to Chinchilla's (Porian et al. 2024, "Resolving Discrepancies in Compute-Optimal
/// Scaling of Language Models", figure 1, RefinedWeb).
struct PorianStep {
  var change: String
  var exponent: Double
  var interval: ClosedRange<Double>
  /// N for 5.88·10²³ FLOP.
  var parameters: Double

  static let ladder = [
    PorianStep(change: "Kaplan's setup reproduced", exponent: 0.835, interval: 0.82...0.85, parameters: 3e12),
    PorianStep(
      change: "+ the FLOP of the last layer counted", exponent: 0.706, interval: 0.69...0.72, parameters: 787e9),
    PorianStep(
      change: "+ warmup in proportion to the size", exponent: 0.602, interval: 0.59...0.62, parameters: 292e9),
    PorianStep(change: "+ cosine decay to the budget's end", exponent: 0.571, interval: 0.56...0.59, parameters: 183e9),
    PorianStep(
      change: "learning rate, batch size and β₂ tuned for each size, no decay", exponent: 0.497,
      interval: 0.49...0.50, parameters: 77e9),
  ]
}
