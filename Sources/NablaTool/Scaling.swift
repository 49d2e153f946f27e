import ArgumentParser
import Nabla

struct Scaling: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling", abstract: "Fit, test and plot scaling laws, and plan training runs with them.",
    discussion: """
      Try it:
        nabla scaling plan --compute 1e21
        nabla scaling plan --hardware 8xH100 --days 3 --price 2.5
        nabla scaling fit Examples/ScalingLaws/chinchilla-figure-4.csv \\
          --drop-highest 5 --output law.json
        nabla scaling plan --law law.json --compute 1e23
        nabla scaling show Examples/ScalingLaws/chinchilla-figure-4.csv \\
          --drop-highest 5 --output scaling.html
        nabla scaling sweep Documentation Sources --budget 8m
      """,
    subcommands: [ScalingFit.self, ScalingPlan.self, ScalingSweep.self, ScalingShow.self])
}

/// A number with an optional suffix: 70B, 1.4T, 350M, 1e21.
struct Quantity: ExpressibleByArgument {
  var value: Double

  init?(argument: String) {
    let factors: [Character: Double] = ["k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12]
    var text = argument[...]
    let factor = text.last.flatMap { factors[$0] }
    if factor != nil { text.removeLast() }
    guard let number = Double(text), number > 0, number.isFinite else { return nil }
    value = number * (factor ?? 1)
  }
}

/// Which runs of a table are used.
struct PointOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Number of runs with the highest loss to exclude (default: 0; Besiroglu et al. exclude 5).", valueName: "n"))
  var dropHighest: Int?
  @Option(help: ArgumentHelp("Bootstrap samples, for confidence intervals (default: 4000).", valueName: "n"))
  var bootstrap: Int?
  @Option(help: ArgumentHelp("Random seed of the bootstrap (default: 1).", valueName: "n")) var seed: UInt64?

  /// The first flag that was given.
  var first: String? {
    [dropHighest.map { _ in "--drop-highest" }, bootstrap.map { _ in "--bootstrap" }, seed.map { _ in "--seed" }]
      .compactMap { $0 }.first
  }

  func validate() throws {
    if let dropHighest, dropHighest < 0 { throw ValidationError("--drop-highest must be 0 or more") }
    if let bootstrap, !(20...100_000).contains(bootstrap) {
      throw ValidationError("--bootstrap must be between 20 and 100000, not \(bootstrap)")
    }
  }

  func points(_ table: PointTable) throws -> [ScalingPoint] {
    guard let dropHighest, dropHighest > 0 else { return table.points }
    if dropHighest >= table.points.count {
      throw ValidationError("--drop-highest \(dropHighest) leaves none of \(table.points.count) runs")
    }
    return Array(table.points.sorted { $0.loss < $1.loss }.dropLast(dropHighest))
  }
}

/// The law with a name, or from a file written by `nabla scaling fit --output`.
func scalingLaw(_ text: String) throws -> NamedLaw {
  if let law = NamedLaw.published(text) { return law }
  if !text.contains("/"), !text.contains(".") {
    let names = NamedLaw.published.map(\.name)
    throw ValidationError(
      "--law '\(printable(text))' is neither a file nor one of \(names.joined(separator: ", "))")
  }
  return try NamedLaw(contentsOfFile: text)
}

/// 1.23e+21 as "1.23e21"; small numbers as they are.
func compact(_ value: Double, digits: Int = 3) -> String {
  guard value.magnitude >= 1e5 || value.magnitude < 1e-3, value != 0, value.isFinite else {
    return significant(value, digits: digits)
  }
  var (mantissa, exponent) = (value, 0)
  while mantissa.magnitude >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa.magnitude < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  // Rounding can carry: 9.9999 is 10.00.
  if significant(mantissa.magnitude, digits: digits).hasPrefix("10") {
    (mantissa, exponent) = (mantissa / 10, exponent + 1)
  }
  return "\(significant(mantissa, digits: digits))e\(exponent)"
}

/// 1.3e9 as "1.3B".
func counted(_ value: Double) -> String {
  value < 999e12 ? scaled(value, ["", "K", "M", "B", "T"]) : compact(value)
}

func ranged(_ range: ClosedRange<Double>?, _ text: (Double) -> String) -> String {
  range.map { "\(text($0.lowerBound)) to \(text($0.upperBound))" } ?? ""
}

/// Rows in columns: the first left-aligned, the others right-aligned.
func columns(_ rows: [[String]], indent: String = "  ") -> String {
  let count = rows.map(\.count).max() ?? 0
  let widths = (0..<count).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
  return rows.map { row in
    var line = indent
    for (column, cell) in row.enumerated() {
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      line += column == 0 ? cell + padding : "  " + padding + cell
    }
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }.joined()
}

extension ClosedRange<Double> {
  var json: JSONValue { .array([.number(lowerBound), .number(upperBound)]) }
}
