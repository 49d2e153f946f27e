import NablaFormats

/// The numbers of a run as columns: for each name in `metrics.jsonl`, its values over the steps.
struct RunMetrics {
  struct Point: Equatable {
    var step: Double
    var value: Double
  }

  struct Skip: Equatable {
    var step: Double
    var reason: String
  }

  /// The names in the order they first appear.
  private(set) var names: [String] = []
  private(set) var skips: [Skip] = []
  private var columns: [String: [Point]] = [:]

  /// The finite values of this name, in the order of their steps; empty when there are none.
  subscript(name: String) -> [Point] { columns[name] ?? [] }

  func last(_ name: String) -> Double? { columns[name]?.last?.value }
  func minimum(_ name: String) -> Point? { columns[name]?.min { $0.value < $1.value } }
  func maximum(_ name: String) -> Double? { columns[name]?.map(\.value).max() }

  init() {}

  /// Reads the file. A file that does not exist has no metrics; lines that are no records are passed over.
  init(contentsOfFile path: String) throws {
    guard pathExists(path) else { return }
    for line in try MetricsLog.lines(of: path) {
      guard let object = try? JSONValue(parsing: line).object, let step = object["step"]?.double else { continue }
      for member in object.members where member.key != "step" {
        if member.key == "skipped" {
          add(skip: member.value, at: step)
        } else if let value = member.value.double, value.isFinite {
          add(value, to: member.key, at: step)
        }
      }
    }
  }

  private mutating func add(_ value: Double, to name: String, at step: Double) {
    if columns[name] == nil { names.append(name) }
    // A run that went back to a checkpoint writes steps again: the later lines count.
    while let last = columns[name]?.last, last.step >= step { columns[name]?.removeLast() }
    columns[name, default: []].append(Point(step: step, value: value))
  }

  /// The reason is a text, or a plain mark: true, or a number that is not 0.
  private mutating func add(skip: JSONValue, at step: Double) {
    let isMark = skip.bool == true || (skip.double ?? 0) != 0
    guard let reason = skip.string ?? (isMark ? "step skipped" : nil) else { return }
    while let last = skips.last, last.step >= step { skips.removeLast() }
    skips.append(Skip(step: step, reason: reason))
  }
}
