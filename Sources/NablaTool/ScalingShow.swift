import ArgumentParser
import Nabla

struct ScalingShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Write a page with a scaling law, its runs, and published models.",
    usage: "nabla scaling show <table> [options]\nnabla scaling show --law <name or file> [options]",
    discussion: "One HTML file that needs no network. Prints its path: open it in a browser.")

  @Argument(help: "CSV file of training runs, as for 'nabla scaling fit'.", completion: .file()) var table: String?
  @Option(help: ArgumentHelp("Published law, or a file from 'nabla scaling fit'.", valueName: "name or file"))
  var law: String?
  @OptionGroup var options: PointOptions
  @Option(help: ArgumentHelp("Output page.", valueName: "file"), completion: .file()) var output = "scaling.html"
  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    if (table == nil) == (law == nil) { throw ValidationError("give either a table of runs or --law") }
    if law != nil, let flag = options.first {
      throw ValidationError("\(flag) applies to a table of runs: leave it out, or give a table in place of --law")
    }
  }

  func run() throws {
    compute.apply()
    let report: ScalingReport
    if let table {
      let result = try ScalingFitResult(
        try PointTable(contentsOfFile: table), options: options, holdOut: 0)
      report = ScalingReport(law: result.law, fit: result.fit, bootstrap: result.bootstrap, file: table)
    } else {
      report = ScalingReport(law: try scalingLaw(law!))
    }
    try AtomicFile.write(try report.html(), to: output)
    try show(output + "\n")
  }
}
