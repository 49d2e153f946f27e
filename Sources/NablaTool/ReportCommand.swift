import ArgumentParser
import Nabla

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Rebuild the report.html of a run from its files.",
    usage: "nabla report <run>",
    discussion: """
      Takes any run: of pretrain, sft, reward, dpo, rlhf, grpo, rl train (one run, or a comparison of seeds or \
      algorithms), diffusion train, or scaling sweep. Prints the path of the page: open it in a browser. The page \
      needs no network.
      """)

  @Argument(
    help: ArgumentHelp("A run folder: what --output named, or a folder in runs/.", valueName: "run"),
    completion: .directory)
  var runFolder: String

  func run() throws {
    let folder = try RunFolder.open(runFolder)
    try ReportPage.page(of: folder).write(to: folder)
    try show(folder.reportPath + "\n")
  }
}
