import ArgumentParser
import Nabla

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Build a run's report.html again from its files.")

  @Argument(help: "A run folder.", completion: .directory)
  var runFolder: String

  func run() throws {
    let folder = try RunFolder.open(runFolder)
    try Report.write(for: folder)
    print(folder.reportPath)
  }
}
