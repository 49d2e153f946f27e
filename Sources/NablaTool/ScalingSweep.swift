import ArgumentParser
import Nabla

struct ScalingSweep: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Fit a law to small models trained here, and test it on a larger one.",
    usage: """
      nabla scaling sweep <file-or-folder> ... --budget <time> [options]
      nabla scaling sweep --resume <folder>
      """,
    discussion: """
      Trains small models of several sizes with several compute budgets, fits L = E + A/N^α + B/D^β to their losses, \
      predicts the loss of a model with 5 to 10 times the compute, then trains it and compares. The plan follows from \
      the training speed of this computer, which is measured first.

      The folder contains a run folder for each model, points.csv for 'nabla scaling fit', law.json for 'nabla scaling \
      plan --law', and report.html. Ctrl-C (or SIGTERM) finishes the step, saves, and prints how to resume; even after \
      a kill, --resume trains only what is missing.
      """)

  @Argument(help: "Files and folders of text.", completion: .file()) var files: [String] = []
  @Option(help: ArgumentHelp("Total time: 2h, 10m, 90s, 1h30m.", valueName: "time")) var budget: TimeSpan?
  @Option(
    help: ArgumentHelp(
      "Models to train with each budget, layers x width: 1x32,2x48,2x64,3x96 (default: around a law's optimum).",
      valueName: "list"))
  var shapes: ShapeList?
  @Option(
    help: ArgumentHelp("Folder: new or empty (default: runs/sweep-DATE-N).", valueName: "folder"),
    completion: .directory)
  var output: String?
  @Option(help: ArgumentHelp("Resume a sweep.", valueName: "folder"), completion: .directory) var resume: String?
  @Flag(help: "Output as one JSON object.") var json = false
  @OptionGroup(title: "Settings") var settings: SettingFlags<Settings>
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  struct Settings: SettingTable {
    static let flags = SweepSettings.settings.map { SettingFlag($0, defaults: [("", SweepSettings())]) }
  }

  func validate() throws {
    if resume != nil {
      let given = [files.first.map { "'\($0)'" }, budget.map { _ in "--budget" }, shapes.map { _ in "--shapes" }]
      if let extra = given.compactMap({ $0 }).first ?? output.map({ _ in "--output" }) ?? settings.first {
        throw ValidationError("--resume uses the sweep's own text and settings: leave out \(extra)")
      }
      return
    }
    if files.isEmpty { throw ValidationError("give files or folders of text to train on") }
    if budget == nil { throw ValidationError("give a --budget of time, such as 10m or 2h") }
    if shapes != nil, settings.given["sizes"] != nil || settings.given["spread"] != nil {
      throw ValidationError("--shapes defines the models: leave out --sizes and --spread")
    }
  }

  func run() throws {
    compute.apply()
    StopSignal.install()
    let display = SweepDisplay()
    let sweep: Sweep
    if let resume {
      sweep = try Sweep(resuming: resume)
    } else {
      let chosen = try namingFlags { () throws(ConfigurationError) in try SweepSettings().changed(settings.given) }
      sweep = try Sweep(
        paths: files, budget: budget!.seconds, chosen, shapes: shapes?.shapes, at: output, observe: display.show)
    }
    display.describe(sweep)
    guard let result = try sweep.train(until: .when { StopSignal.isRequested }, observe: display.show) else {
      note(
        "stopped and saved; continue with:\n  \(toolName) scaling sweep --resume \(shellQuoted(sweep.folder.path))")
      return
    }
    try show(json ? result.json.serialized() + "\n" : result.text)
  }
}

/// A time span: 2h, 10m, 90s, 1h30m.
struct TimeSpan: ExpressibleByArgument {
  var seconds: Double

  init?(argument: String) {
    let units: [Character: Double] = ["d": 86_400, "h": 3_600, "m": 60, "s": 1]
    var (total, number, last) = (0.0, "", Double.infinity)
    for character in argument {
      guard let unit = units[character] else {
        number.append(character)
        continue
      }
      // Each unit once, the largest first.
      guard let value = Double(number), value >= 0, value.isFinite, unit < last else { return nil }
      (total, number, last) = (total + value * unit, "", unit)
    }
    guard number.isEmpty, total > 0, total <= 365 * 86_400 else { return nil }
    seconds = total
  }
}

/// Layers and width of models: 1x32,2x48.
struct ShapeList: ExpressibleByArgument {
  var shapes: [(layers: Int, width: Int)]

  init?(argument: String) {
    shapes = argument.split(separator: ",", omittingEmptySubsequences: false).compactMap { text in
      let parts = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard parts.count == 2, let layers = parts[0], let width = parts[1], (1...1_000).contains(layers),
        (16...16_384).contains(width), width % (width <= 256 ? 16 : 128) == 0
      else { return nil }
      return (layers, width)
    }
    guard shapes.count == argument.split(separator: ",", omittingEmptySubsequences: false).count,
      (4...20).contains(shapes.count)
    else { return nil }
  }
}
