import ArgumentParser
import Glibc
import NablaStudio
import NablaTensor

/// What `nabla studio` starts: a program of its own, so that `nabla` is built without a web server.
@main
struct StudioTool: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nabla studio",
    abstract: "Open an interactive page that shows how the algorithms work, computed live.",
    discussion: """
      Eight steps from attention to scaling laws. Every number is computed on this computer, when you ask for it.
      Nothing is loaded from the network, and nobody else can open the page. Ctrl-C stops it.
      """)

  private static let defaultPort = 8118
  @Option(help: ArgumentHelp("Port on 127.0.0.1 (default: \(Self.defaultPort)).", valueName: "n"))
  var port: Int?

  @Option(
    help: ArgumentHelp("Language model to inspect: a run, a Hugging Face folder or a GGUF file.", valueName: "model"))
  var model: String?

  @Option(
    name: .customLong("run"), parsing: .singleValue,
    help: ArgumentHelp("Run folder to show; may be repeated.", valueName: "run"))
  var runs: [String] = []

  @Flag(inversion: .prefixedNo, help: "Open a browser.")
  var open = true

  @Option(
    help: ArgumentHelp(
      "Folder with the page's files, to change them without building.", valueName: "folder", visibility: .hidden))
  var page: String?

  @Option(
    help: ArgumentHelp("Instead, save the page with recorded answers as one file in a folder.", valueName: "folder")
  )
  var export: String?

  @Option(help: ArgumentHelp("With --export, only this step: its number or its name.", valueName: "step"))
  var step: String?

  func validate() throws {
    if let port, !(1...65_535).contains(port) {
      throw ValidationError("--port must be between 1 and 65535, not \(port)")
    }
    if step != nil, export == nil { throw ValidationError("--step is for --export: give the folder to save it in") }
    if export != nil, let other = port != nil ? "--port" : !open ? "--no-open" : nil {
      throw ValidationError("--export saves the page and serves none: leave out \(other)")
    }
    do {
      try Studio.Options(runs: runs).validate()
    } catch {
      throw ValidationError("--run: \(error)")
    }
  }

  func run() async throws {
    Threads.limitPolling()
    let studio = Studio(.init(model: model, runs: runs, page: page))
    if let export {
      let page = try StudioExport(studio, step: step)
      if let recipe = studio.model.recipe, !recipe.isFinished {
        print("training a small model on \(recipe.text): about a minute, once")
        recipe.train()
        if case .failed(let problem) = recipe.progress { print("it could not be trained: \(problem)") }
      }
      try page.write(to: export) { print("recording \($0)") }
      print("\(export)/index.html")
      return
    }
    let server = try StudioServer(studio, port: port ?? Self.defaultPort)
    let opens = open
    try await server.run { address in
      print("Nabla Studio: \(address)   (Ctrl-C ends it)")
      fflush(nil)
      if opens { openBrowser(address) }
    }
  }
}

/// Opens the address with what the desktop has for that; without a desktop, the printed address must do.
private func openBrowser(_ address: String) {
  guard getenv("DISPLAY") != nil || getenv("WAYLAND_DISPLAY") != nil else { return }
  var process = pid_t()
  let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("xdg-open"), strdup(address), nil]
  defer { for argument in arguments { free(argument) } }
  _ = posix_spawnp(&process, "xdg-open", nil, nil, arguments, environ)
}
