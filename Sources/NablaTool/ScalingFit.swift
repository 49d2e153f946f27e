import ArgumentParser
import Nabla

struct ScalingFit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit", abstract: "Fit scaling laws to a table of training runs.",
    usage: "nabla scaling fit <table> [--output <file>] [--json] [options]",
    discussion: """
      The table is a CSV file with a header: loss (nats per token), and two of N (parameters), D (tokens), \
      C (training FLOPs); U (unique tokens) if data were repeated. Other columns are kept.

      Fits the parametric law L = E + A/N^α + B/D^β from 4,500 starts, the envelope of fixed sizes, \
      IsoFLOP parabolas, Kaplan's power laws, and the law of repeated data; tests published constants against the \
      runs, and predicts the largest runs from the others.
      """)

  @Argument(help: "CSV file of training runs.", completion: .file()) var table: String
  @OptionGroup var options: PointOptions
  @Option(
    help: ArgumentHelp(
      "Number of largest runs to hold out and predict from the others (default: a tenth; 0 for none).", valueName: "n"))
  var holdOut: Int?
  @Option(
    help: ArgumentHelp("Output file of the parametric law, for 'nabla scaling plan --law'.", valueName: "file"),
    completion: .file())
  var output: String?
  @Flag(help: "Output as one JSON object, with the result of every start.") var json = false
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    if let holdOut, holdOut < 0 { throw ValidationError("--hold-out must be 0 or more") }
  }

  func run() throws {
    compute.apply()
    let result = try ScalingFitResult(
      try PointTable(contentsOfFile: table), options: options, holdOut: holdOut)
    let noOptimum = PointError(noOptimumOf: result.fit.law, file: table)
    if let output, noOptimum == nil, let law = result.law.json() {
      try AtomicFile.write(law.serialized() + "\n", to: output)
    }
    try show(json ? result.json.serialized() + "\n" : result.text)
    guard let output else { return }
    if let noOptimum { throw noOptimum }
    note("wrote \(printable(output))")
  }
}
