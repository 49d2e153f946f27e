import ArgumentParser

@main
struct NablaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nabla", abstract: "Train, align and sample AI models on this computer.")
}
