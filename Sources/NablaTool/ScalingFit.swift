import ArgumentParser
import Nabla

struct ScalingFit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit", abstract: "Fit scaling laws to a table of training runs.",
    usage: "nabla scaling fit <table> [--output <file>] [--json] [options]",
    discussion: """
      The table is a CSV file with a line of names: loss (nats a token), and two of N (parameters), D (tokens), C \
      (training FLOP); U (unique tokens) where text was repeated. Other columns are kept.

      Fitted are the parametric law L = E + A/N^α + B/D^β from 4,500 starts, the envelope of fixed sizes, IsoFLOP \
      parabolas, Kaplan's power laws, and the law of repeated text; published constants are tested against the runs, \
      and the largest runs predicted from the others.
      """)

  @Argument(help: "A CSV file of training runs.", completion: .file()) var table: String
  @OptionGroup var options: PointOptions
  @Option(
    help: ArgumentHelp("Largest runs to predict from the others (default: a tenth; 0 for none).", valueName: "n"))
  var holdOut: Int?
  @Option(
    help: ArgumentHelp("Write the parametric law for 'nabla scaling plan --law'.", valueName: "file"),
    completion: .file())
  var output: String?
  @Flag(help: "Print one JSON object, with the end of every start.") var json = false
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    if let holdOut, holdOut < 0 { throw ValidationError("--hold-out must not be negative") }
  }

  func run() throws {
    compute.apply()
    let result = try ScalingFitResult(
      try PointTable(contentsOfFile: table), options: options, holdOut: holdOut)
    if let output, let law = result.law.json() { try AtomicFile.write(law.serialized() + "\n", to: output) }
    try show(json ? result.json.serialized() + "\n" : result.text)
    if let output { note("wrote \(printable(output))") }
  }
}
