import HTTPTypes
import Hummingbird
import NablaFormats

/// What is answered to which address.
///
///     GET  /api/studio               the steps
///     GET  /api/alive                that the program runs, and how far its small model is
///     GET  /api/STEP/NAME?…          an answer, as JSON
///     GET  /api/STEP/NAME/stream?…   a job, as server-sent events, until it is done or the page goes away
///     POST /api/jobs/ID?…            what the page's controls say to a job
///     GET  anything else             a file of the page
struct StudioRoutes: Sendable {
  let studio: Studio
  let files: PageFiles
  let requestGuard: RequestGuard

  func responder() -> some HTTPResponder<BasicRequestContext> {
    let router = Router()
    router.add(middleware: PageHeaders())
    router.add(middleware: Refusals(requestGuard: requestGuard))
    router.get("api/studio") { _, _ in try json(StudioFacts(studio)) }
    router.get("api/alive") { _, _ in try json(SmallModelState(studio)) }
    router.get("api/:step/:name") { request, context in await answer(request, context) }
    router.get("api/:step/:name/stream") { request, context in stream(request, context) }
    router.post("api/jobs/:id") { request, context in control(request, context) }
    router.get("**") { request, _ in page(request) }
    router.get("/") { request, _ in page(request) }
    return router.buildResponder()
  }

  private func page(_ request: Request) -> Response {
    guard let file = files.file(at: request.uri.path) else {
      return problem(.notFound, StudioError("there is no \(request.uri.path) here"))
    }
    var headers: HTTPFields = [.contentType: file.type, .cacheControl: "no-cache"]
    if request.uri.path.hasPrefix("/katex/fonts/") { headers[.cacheControl] = "max-age=86400" }
    return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file.bytes)))
  }

  private func answer(_ request: Request, _ context: BasicRequestContext) async -> Response {
    do {
      let (step, name) = (context.parameters.get("step") ?? "", context.parameters.get("name") ?? "")
      let (query, studio) = (try StudioQuery(parsing: request.uri.query ?? ""), studio)
      return json(bytes: try await computed { try studio.answer(step, name, query) })
    } catch {
      return problem(.badRequest, error)
    }
  }

  private func stream(_ request: Request, _ context: BasicRequestContext) -> Response {
    do {
      let computation = try studio.computation(
        context.parameters.get("step") ?? "", context.parameters.get("name") ?? "")
      let job = try studio.start(computation, StudioQuery(parsing: request.uri.query ?? ""))
      return Response(
        status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
        body: .init { writer in
          defer { job.stop() }
          try await send(job, file: computation.file, to: &writer)
          try await writer.finish(nil)
        })
    } catch {
      return problem(.badRequest, error)
    }
  }

  /// Sends what is new, at most 30 times a second, and a comment where nothing is, so that a page that has gone away is
  /// noticed.
  private func send(_ job: StudioJob, file: String, to writer: inout any ResponseBodyWriter) async throws {
    try await writer.write(ByteBuffer(string: "data: {\"job\":\"\(job.id)\",\"file\":\"\(file)\"}\n\n"))
    var quiet = 0
    while true {
      let (json, isDone) = job.takeFrame()
      if let json {
        try await writer.write(ByteBuffer(bytes: Array("data: ".utf8) + json + Array("\n\n".utf8)))
        quiet = 0
      } else {
        quiet += 1
        if quiet % 15 == 0 { try await writer.write(ByteBuffer(string: ":\n\n")) }
      }
      if isDone { return }
      try await Task.sleep(for: .milliseconds(33))
    }
  }

  private func control(_ request: Request, _ context: BasicRequestContext) -> Response {
    do {
      let controls = try StudioQuery(parsing: request.uri.query ?? "")
      // A training may end while the page's words are on their way; then there is nothing to tell.
      studio.job(context.parameters.get("id") ?? "")?.control(controls)
      return Response(status: .noContent)
    } catch {
      return problem(.badRequest, error)
    }
  }

  private func json(_ value: some Encodable) throws -> Response { json(bytes: try studioJSON(value)) }

  private func json(bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
      body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private func problem(_ status: HTTPResponse.Status, _ error: any Error) -> Response {
    json(bytes: (try? studioJSON(["problem": "\(error)"])) ?? [], status: status)
  }
}

/// Refuses what does not come from the page itself, before anything is computed.
private struct Refusals: RouterMiddleware {
  typealias Context = BasicRequestContext
  let requestGuard: RequestGuard

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
    // A link on another page may lead here; what it may not do is ask for computations.
    let isNavigation = HTTPField.Name("Sec-Fetch-Mode").flatMap { request.headers[$0] } == "navigate"
    let refusal = requestGuard.refusal(
      host: request.head.authority, origin: request.headers[.origin],
      site: isNavigation && !request.uri.path.hasPrefix("/api/") ? nil : site)
    guard let refusal else { return try await next(request, context) }
    return Response(
      status: .forbidden, headers: [.contentType: "text/plain; charset=utf-8"],
      body: .init(byteBuffer: ByteBuffer(string: refusal + "\n")))
  }
}

/// What every answer says to the browser: load nothing from elsewhere, and guess no types.
private struct PageHeaders: RouterMiddleware {
  typealias Context = BasicRequestContext

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var response = try await next(request, context)
    response.headers[.contentSecurityPolicy] =
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    response.headers[.xContentTypeOptions] = "nosniff"
    if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "no-referrer" }
    if let name = HTTPField.Name("Cross-Origin-Resource-Policy") { response.headers[name] = "same-origin" }
    return response
  }
}

/// What the page learns first.
private struct StudioFacts: Encodable {
  struct Step: Encodable {
    var name: String
    var title: String
    var files: [String: String]
  }

  let steps: [Step]

  init(_ studio: Studio) {
    steps = studio.steps.map { step in
      Step(
        name: step.name, title: step.title,
        files: Dictionary(step.computations.map { ($0.name, $0.file) }, uniquingKeysWith: { first, _ in first }))
    }
  }
}

/// What the page asks every second.
private struct SmallModelState: Encodable {
  /// The share of the small model's training that is done; nil where none is going on.
  var training: Double?
  /// Whether it was trained here and is ready.
  var isDone: Bool
  /// Why it could not be trained.
  var problem: String?
  var text: String?

  init(_ studio: Studio) {
    let recipe = studio.model.recipe
    (text, isDone) = (recipe?.text, recipe?.isFinished ?? false)
    switch recipe?.progress {
    case .training(let share): training = share
    case .failed(let text): problem = text
    case .done, .none?, nil: break
    }
  }
}
