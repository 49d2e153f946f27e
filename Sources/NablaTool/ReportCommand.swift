import ArgumentParser
import Nabla

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Build a run's report.html again from its files.",
    usage: "nabla report <run>", discussion: "Prints the path of the page: open it in a browser. It needs no network.")

  @Argument(
    help: ArgumentHelp("A run folder of 'nabla pretrain'.", valueName: "run"), completion: .directory)
  var runFolder: String

  func run() throws {
    let folder = try RunFolder.open(runFolder)
    try Report.write(for: folder)
    try show(folder.reportPath + "\n")
  }
}
