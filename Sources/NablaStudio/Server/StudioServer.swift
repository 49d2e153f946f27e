import Glibc
import Hummingbird
import Logging
import NIOCore

/// The studio on a port of this computer.
public struct StudioServer: Sendable {
  let studio: Studio
  let files: PageFiles
  let port: Int

  /// - Throws: ``StudioError`` where the page's files are missing.
  public init(_ studio: Studio, port: Int) throws(StudioError) {
    files = try PageFiles(folder: studio.options.page)
    (self.studio, self.port) = (studio, port)
  }

  /// Answers until SIGINT or SIGTERM.
  ///
  /// - Parameter whenReady: Told the address once requests are answered.
  /// - Throws: ``StudioError`` where the port is taken.
  public func run(whenReady: @escaping @Sendable (_ address: String) -> Void) async throws {
    let routes = StudioRoutes(studio: studio, files: files, requestGuard: RequestGuard(port: port))
    var logger = Logger(label: "studio")
    logger.logLevel = .critical
    let application = Application(
      responder: routes.responder(),
      configuration: .init(address: .hostname("127.0.0.1", port: port)),
      onServerRunning: { [studio] _ in
        whenReady("http://127.0.0.1:\(port)/")
        // The model is read, or trained, while the reader reads; what is wrong with it is told when a step asks for it.
        try? onThread {
          if let recipe = studio.model.recipe, !recipe.isFinished { recipe.train() }
          try? studio.model.use { _ in }
        }
      }, logger: logger)
    defer { studio.stopJobs() }
    do {
      try await application.runService()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw StudioError("port \(port) is taken: give another with --port, or stop what uses it")
    } catch let error as IOError where error.errnoCode == EACCES {
      throw StudioError("port \(port) needs privileges: give one above 1023 with --port")
    }
  }
}
