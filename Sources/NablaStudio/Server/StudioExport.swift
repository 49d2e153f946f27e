import FoundationEssentials
import NablaFormats
import NablaReport

/// The page as one file that needs no program: its scripts, its style, and the answers that each computation has
/// recordings for. It works from a disk, asks nobody, and says that its numbers were recorded.
public struct StudioExport {
  let studio: Studio
  let files: PageFiles
  /// Those that the page has.
  let steps: [StudioStep]

  /// - Parameters:
  ///   - studio: The models and runs to show.
  ///   - step: The number (from 1) or the name of the only step that the page is to have; nil for all.
  /// - Throws: ``StudioError`` for a step that there is not, and where the page's files are missing.
  public init(_ studio: Studio, step: String? = nil) throws(StudioError) {
    (self.studio, files) = (studio, try PageFiles(folder: studio.options.page))
    guard let step else {
      steps = studio.steps
      return
    }
    guard let index = studio.steps.indices.first(where: { "\($0 + 1)" == step || studio.steps[$0].name == step }) else {
      let names = studio.steps.enumerated().map { "\($0 + 1) (\($1.name))" }.joined(separator: ", ")
      throw StudioError("there is no step \(step): the steps are \(names)")
    }
    steps = [studio.steps[index]]
  }

  /// Writes `folder/index.html`.
  ///
  /// - Parameters:
  ///   - folder: Created if it does not exist.
  ///   - progress: Told of each computation before it is recorded.
  /// - Throws: What a computation throws, `ReportError` where KaTeX is not installed, and errors of writing.
  public func write(to folder: String, progress: (String) -> Void = { _ in }) throws {
    let recording = try recording(progress)
    let page = try page(recording)
    try createFolders(folder)
    try AtomicFile.write(page, to: folder + "/index.html")
  }

  /// {"answers": {"step/name": [{"query": …, "answer": …}]}, "narratives": {…}, "modules": {…}}
  private func recording(_ progress: (String) -> Void) throws -> String {
    var answers: [String] = []
    for step in studio.steps {
      for computation in step.computations {
        guard case .answer = computation.work, isShown(step, computation) else { continue }
        progress("\(step.name)/\(computation.name)")
        let entries = try computation.recordings.compactMap { query -> String? in
          let answer: [UInt8]
          do {
            answer = try studio.answer(step.name, computation.name, StudioQuery(query))
          } catch is StudioError where !query.isEmpty {
            // A smaller model has fewer layers and heads than the recordings name.
            return nil
          }
          return try #"{"query":\#(json(query)),"answer":\#(String(decoding: answer, as: UTF8.self))}"#
        }
        answers.append(#""\#(step.name)/\#(computation.name)":[\#(entries.joined(separator: ","))]"#)
      }
    }
    let narratives = try Dictionary(
      uniqueKeysWithValues: steps.map { ($0.name, try text("/steps/\($0.name)/narrative.html")) })
    let modules = Dictionary(uniqueKeysWithValues: steps.map { ($0.name, "page/steps/\($0.name)/step.js") })
    return try
      #"{"answers":{\#(answers.joined(separator: ","))},"narratives":\#(json(narratives)),"modules":\#(json(modules))}"#
  }

  /// Whether a step of the page asks for it. What the model is, several steps ask.
  private func isShown(_ step: StudioStep, _ computation: Computation) -> Bool {
    steps.contains { $0.name == step.name } || (step.name, computation.name) == ("attention", "model")
  }

  private func page(_ recording: String) throws -> String {
    let katex = try KaTeX()
    let style = try katex.style + text("/common/studio.css")
    let imports = try moduleFiles("").map { path, source in
      let data = Data(bare(source, in: path).utf8).base64EncodedString()
      return #""page\#(path)":"data:text/javascript;base64,\#(data)""#
    }
    let index = try text("/index.html")
    let icon = Data(try bytes("/common/icon.svg")).base64EncodedString()
    let head = """
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' data:; \
      style-src 'unsafe-inline'; font-src data:; img-src data:">
      <title>Nabla Studio (recorded)</title>
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:image/svg+xml;base64,\(icon)">
      <style>\(style)</style>
      <script type="importmap">{"imports":{\(imports.joined(separator: ","))}}</script>
      <script>\(katex.script)</script>
      <script>globalThis.nablaRecording = \(inScript(recording))</script>
      <script type="module">import "page/common/main.js"</script>
      """
    guard let start = index.range(of: "<head>"), let end = index.range(of: "</head>") else {
      throw StudioError("index.html of the page has no head")
    }
    return index[..<start.upperBound] + "\n" + head + "\n" + index[end.lowerBound...]
  }

  /// The scripts at and below a folder of the page, by path.
  private func moduleFiles(_ folder: String) throws -> [(path: String, source: String)] {
    try folderEntries(files.folder + folder).flatMap { name -> [(path: String, source: String)] in
      let path = "\(folder)/\(name)"
      if isFolder(files.folder + path) { return try moduleFiles(path) }
      return name.hasSuffix(".js") ? [(path, try text(path))] : []
    }
  }

  /// A module whose imports are names of the import map, as a module in a `data:` address has no folder.
  private func bare(_ source: String, in path: String) -> String {
    source.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
      guard line.hasPrefix("import ") || line.hasPrefix("export ") || line.hasPrefix("} from"),
        let from = line.range(of: "from \"", options: .backwards)
      else { return String(line) }
      let rest = line[from.upperBound...]
      guard rest.hasPrefix("."), let quote = rest.firstIndex(of: "\"") else { return String(line) }
      var parts = path.split(separator: "/").dropLast().map(String.init)
      for part in rest[..<quote].split(separator: "/") where part != "." {
        if part == ".." { parts.removeLast() } else { parts.append(String(part)) }
      }
      return line[..<from.upperBound] + "page/" + parts.joined(separator: "/") + rest[quote...]
    }.joined(separator: "\n")
  }

  /// JSON that can stand in a script: nothing in it ends the script.
  private func inScript(_ json: String) -> String {
    json.split(separator: "<", omittingEmptySubsequences: false).joined(separator: #"\u003c"#)
  }

  private func json(_ value: some Encodable) throws -> String { String(decoding: try studioJSON(value), as: UTF8.self) }

  private func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

  private func bytes(_ path: String) throws -> [UInt8] {
    guard let file = files.file(at: path) else {
      throw StudioError("the page has no \(path)")
    }
    return file.bytes
  }
}
