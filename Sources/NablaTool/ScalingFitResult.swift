import ArgumentParser
import Nabla

/// All that can be fitted to a table, and why the rest cannot.
struct ScalingFitResult {
  var points: [ScalingPoint]
  var fit: ChinchillaFit
  var bootstrap: ChinchillaBootstrap
  var law: NamedLaw
  var envelope: Result<EnvelopeFit, PointError>
  var isoFLOP: Result<IsoFLOPFit, PointError>
  var kaplan: Result<KaplanFit, PointError>
  var repeated: Result<DataConstrainedFit, PointError>?
  var holdOut: Result<HoldOut, PointError>?

  init(_ table: PointTable, options: PointOptions, holdOut: Int?) throws {
    let points = try options.points(table)
    do throws(PointError) {
      fit = try ChinchillaFit(points)
    } catch {
      throw PointError(error.kind, file: table.file)
    }
    self.points = points
    bootstrap = fit.bootstrap(samples: options.bootstrap ?? 4_000, seed: options.seed ?? 1)
    law = NamedLaw(
      name: table.file, title: "fit of \(points.count) runs in \(table.file)", form: .chinchilla(fit.law),
      largestCompute: points.map(\.compute).max(), smallestCompute: points.map(\.compute).min(), samples: bootstrap.laws
    )
    envelope = Self.result { () throws(PointError) in try EnvelopeFit(points) }
    isoFLOP = Self.result { () throws(PointError) in try IsoFLOPFit(points) }
    kaplan = Self.result { () throws(PointError) in try KaplanFit(points) }
    if points.contains(where: { $0.uniqueTokens != nil }) {
      let base = fit.law
      repeated = Self.result { () throws(PointError) in try DataConstrainedFit(points, base: base) }
    }
    let count = holdOut ?? points.count / 10
    if count > 0 {
      if count > points.count { throw ValidationError("--hold-out \(count) is more than the \(points.count) runs") }
      self.holdOut = Self.result { () throws(PointError) in try HoldOut(points, leavingOut: count) }
    }
  }

  private static func result<T>(_ body: () throws(PointError) -> T) -> Result<T, PointError> {
    do throws(PointError) { return .success(try body()) } catch { return .failure(error) }
  }
}
