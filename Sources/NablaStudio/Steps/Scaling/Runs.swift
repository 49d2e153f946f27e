import Glibc
import NablaFormats
import NablaScaling
import NablaTraining

extension ScalingStep {
  /// The runs to fit a law to: the reader's own sweep, or those of Hoffmann et al.
  struct Table: Encodable {
    struct Run: Encodable { var parameters, tokens, compute, loss: Double }

    var source: String
    var isOwn: Bool
    /// Whether the last run is the one that a sweep predicts before it trains it.
    var hasTest: Bool
    /// In the order of compute; none where there is neither.
    var runs: [Run]
    /// How many of the cheapest runs the law is fitted to at first.
    var kept: Int
    /// Why a sweep that was given could not be read.
    var problems: [String]
  }

  static let table = Computation.answer("table") { _, studio in
    let (runs, problems) = runs(studio)
    guard let runs else {
      return Table(source: "", isOwn: false, hasTest: false, runs: [], kept: 0, problems: problems)
    }
    return Table(
      source: runs.source, isOwn: runs.isOwn, hasTest: runs.hasTest,
      runs: runs.points.map {
        .init(parameters: $0.parameters, tokens: $0.tokens, compute: $0.compute, loss: $0.loss)
      }, kept: runs.kept,
      problems: problems)
  }

  /// A law fitted to the cheapest runs, and what it says of the others; none where there are no runs.
  struct Refit: Encodable {
    var law: Constants
    /// False where the loss does not fall with both parameters and tokens: then no split is the best.
    var hasOptimum: Bool
    /// The largest compute that it was fitted to.
    var limit: Double
    /// [C, L of the best split], and [C, tokens per parameter of it].
    var envelope, ratio: [[Double]]
    /// Mean of |predicted / measured − 1| of the runs that the law has not seen; nil where it has seen all.
    var error: Double?
    /// Of the runs that it was fitted to.
    var fitError: Double
  }

  static let refit = Computation.answer("refit") { query, studio in
    guard let runs = runs(studio).runs else { return Refit?.none }
    let points = runs.points
    let kept = try query.integer("kept", in: fewest...points.count, default: runs.kept)
    let law: Chinchilla
    do { law = try ChinchillaFit(Array(points.prefix(kept)), from: runs.grid).law } catch {
      throw StudioError("these \(kept) runs determine no law: \(error)")
    }
    let (low, high) = (points[0].compute, 3 * points[points.count - 1].compute)
    let budgets = (0...40).map { low * pow(high / low, Double($0) / 40) }
    func error(_ points: ArraySlice<ScalingPoint>) -> Double {
      let errors = points.map { abs(law.loss(parameters: $0.parameters, tokens: $0.tokens) / $0.loss - 1) }
      return errors.reduce(0, +) / Double(errors.count)
    }
    return Refit(
      law: Constants(law), hasOptimum: law.hasOptimum, limit: points[kept - 1].compute,
      envelope: law.hasOptimum ? budgets.map { [$0, law.optimalLoss(compute: $0)] } : [],
      ratio: law.hasOptimum ? budgets.map { [$0, law.optimalAllocation(compute: $0).tokensPerParameter] } : [],
      error: kept < points.count ? error(points[kept...]) : nil, fitError: error(points[..<kept]))
  }

  // MARK: Where runs come from

  private struct Runs {
    var source: String
    var isOwn: Bool
    /// In the order of compute.
    var points: [ScalingPoint]
    var kept: Int
    var grid: StartGrid
    /// A sweep trains it last, in a folder of this name.
    var hasTest: Bool { points.last?.extra["run"] == "test" }
  }

  /// With fewer, five constants follow every dot.
  private static let fewest = 8
  /// 245 runs that Besiroglu et al. read off figure 4 of Hoffmann et al.
  private static let publishedPath = "Examples/ScalingLaws/chinchilla-figure-4.csv"

  /// The first sweep among the reader's runs, else the newest in `runs`, else the published runs.
  private static func runs(_ studio: Studio) -> (runs: Runs?, problems: [String]) {
    var problems: [String] = []
    let given = studio.options.runs.filter { (try? RunFolder.open($0))?.command == Sweep.command }
    for path in given + (given.isEmpty ? sweeps(in: studio.options.sweeps) : []) {
      do { return (try own(path), problems) } catch { problems.append("\(error)") }
    }
    guard pathExists(publishedPath) else { return (nil, problems) }
    do {
      // Without the five of the highest loss, as Besiroglu et al. fit them.
      let points = try PointTable(contentsOfFile: publishedPath).points.sorted { $0.loss < $1.loss }.dropLast(5)
        .sorted { $0.compute < $1.compute }
      return (
        Runs(
          source: "\(points.count) runs of Hoffmann et al. 2022, read off their figure 4 by Besiroglu et al. 2024",
          isOwn: false, points: points, kept: points.count { $0.compute <= 1e21 }, grid: StartGrid(.besiroglu)),
        problems
      )
    } catch {
      return (nil, problems + ["\(error)"])
    }
  }

  private static func own(_ path: String) throws -> Runs {
    let table = "\(path)/points.csv"
    guard pathExists(table) else {
      throw StudioError("\(path) has no points yet: nabla scaling sweep --resume \(shellQuoted(path)) finishes it")
    }
    let points = try PointTable(contentsOfFile: table).points.sorted { $0.compute < $1.compute }
    guard points.count >= fewest else { throw StudioError("\(table) has \(points.count) runs; \(fewest) are needed") }
    // A fit of few runs has many local minima: all starts take milliseconds here.
    var runs = Runs(source: path, isOwn: true, points: points, kept: points.count, grid: .hoffmann)
    if runs.hasTest { runs.kept -= 1 }
    return runs
  }

  /// Sweeps in a folder of runs, the newest first.
  private static func sweeps(in folder: String) -> [String] {
    ((try? folderEntries(folder)) ?? []).map { "\(folder)/\($0)" }
      .filter { pathExists("\($0)/points.csv") && (try? RunFolder.open($0))?.command == Sweep.command }.sorted(by: >)
  }
}
