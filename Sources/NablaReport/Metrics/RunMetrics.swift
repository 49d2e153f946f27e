import NablaFormats
import NablaTraining

/// The numbers of a run as columns: for each name in `metrics.jsonl`, its values over the steps.
public struct RunMetrics: Sendable {
  public struct Point: Equatable, Sendable {
    public var step: Double
    public var value: Double

    public init(step: Double, value: Double) { (self.step, self.value) = (step, value) }
  }

  public struct Skip: Equatable, Sendable {
    public var step: Double
    public var reason: String
  }

  /// The names in the order they first appear.
  public private(set) var names: [String] = []
  public private(set) var skips: [Skip] = []
  private var columns: [String: [Point]] = [:]

  /// The finite values of this name, in the order of their steps; empty when there are none.
  public subscript(name: String) -> [Point] { columns[name] ?? [] }

  package func last(_ name: String) -> Double? { columns[name]?.last?.value }
  package func minimum(_ name: String) -> Point? { columns[name]?.min { $0.value < $1.value } }
  package func maximum(_ name: String) -> Double? { columns[name]?.map(\.value).max() }

  public init() {}

  /// Reads the file. A file that does not exist has no metrics; lines that are no records are passed over.
  public init(contentsOfFile path: String) throws {
    guard pathExists(path) else { return }
    for line in try MetricsLog.lines(of: path) {
      guard let object = try? JSONValue(parsing: line).object, let step = object["step"]?.double else { continue }
      for member in object.members where !["step", "skipped", MetricsLog.skipReasonKey].contains(member.key) {
        if let value = member.value.double, value.isFinite { add(value, to: member.key, at: step) }
      }
      if let reason = Self.skipReason(object) { add(skip: reason, at: step) }
    }
  }

  private mutating func add(_ value: Double, to name: String, at step: Double) {
    if columns[name] == nil { names.append(name) }
    // A run that went back to a checkpoint writes steps again: the later lines count.
    while let last = columns[name]?.last, last.step >= step { columns[name]?.removeLast() }
    columns[name, default: []].append(Point(step: step, value: value))
  }

  private mutating func add(skip reason: String, at step: Double) {
    while let last = skips.last, last.step >= step { skips.removeLast() }
    skips.append(Skip(step: step, reason: reason))
  }

  /// Why a step was skipped; earlier versions wrote no reason but a mark: true, or a number that is not 0.
  private static func skipReason(_ object: JSONObject) -> String? {
    let mark = object["skipped"]
    let isMarked = mark?.bool == true || (mark?.double ?? 0) != 0
    return object[MetricsLog.skipReasonKey]?.string ?? mark?.string ?? (isMarked ? "no reason was recorded" : nil)
  }
}
