import NablaFormats

/// The metrics of a run over its steps: appended to `metrics.jsonl`, one flat JSON object per line, and to
/// TensorBoard's event file.
///
/// Each record is written immediately, so that other programs can follow it and a killed run loses none.
///
/// ```swift
/// try metrics.record(step: 10, ["loss": 3.2, "learning_rate": 1e-4])
/// // {"step":10,"time":1750000000.123,"loss":3.2,"learning_rate":0.0001}
/// ```
public final class MetricsLog {
  private let writer: FileWriter
  private let events: TensorBoardWriter
  private let now: () -> Double

  /// Opens the log of a run folder.
  ///
  /// - Parameters:
  ///   - folder: The run folder.
  ///   - step: When resuming, the last step to keep: lines of later steps are removed, and so is a last line
  ///     truncated by a crash.
  ///   - now: Seconds since 1970.
  public init(
    folder: String, resumingAfter step: Int? = nil, now: @escaping () -> Double = secondsSince1970
  ) throws {
    let path = "\(folder)/\(Self.fileName)"
    if let step, pathExists(path) { try Self.truncate(path, after: step) }
    writer = try FileWriter(path: path, mode: .append)
    events = try TensorBoardWriter(folder: folder, resumingAt: step.map { $0 + 1 }, now: now)
    self.now = now
  }

  /// Appends one record. Names are unique, and neither "step" nor "time"; a non-finite value is written as null,
  /// since JSON has no other representation for it.
  public func record(step: Int, _ values: KeyValuePairs<String, Double>) throws(FileError) {
    try record(step: step, values.map { Metric($0.key, $0.value) })
  }

  /// Appends one record. The same rules hold.
  ///
  /// - Parameters:
  ///   - step: The step that the values are of.
  ///   - values: Named differently.
  ///   - reason: Why the step was skipped, as `skip_reason`; nil if it was taken.
  public func record(step: Int, _ values: [Metric], skipped reason: String? = nil) throws(FileError) {
    var object: JSONObject = JSONObject([
      ("step", .integer(step)), ("time", .number((now() * 1000).rounded() / 1000)),
    ])
    for metric in values {
      precondition(object[metric.name] == nil, "MetricsLog.record: the name \(metric.name) is taken")
      object[metric.name] = .number(metric.value)
    }
    if let reason { object[Self.skipReasonKey] = .string(reason) }
    try writer.write(JSONValue.object(object).serialized() + "\n")
    try writer.flush()
    for metric in values { try events.write(scalar: metric.value, tag: metric.name, step: step) }
  }

  /// The event file, for text and images.
  public var tensorBoard: TensorBoardWriter { events }

  static let fileName = "metrics.jsonl"
  /// Names the one text in a record.
  package static let skipReasonKey = "skip_reason"

  private static func truncate(_ path: String, after step: Int) throws {
    let lines = try lines(of: path)
    let kept = lines.filter { line in MetricsRecord(line: line).map { $0.step <= step } ?? false }
    if kept.count == lines.count, try endsWithNewline(path) { return }
    try AtomicFile.write(to: path) { writer in
      for line in kept { try writer.write(line + [UInt8(ascii: "\n")]) }
    }
  }

  package static func lines(of path: String) throws(FileError) -> [[UInt8]] {
    try MappedFile(path: path).withBytes { bytes in bytes.split(separator: UInt8(ascii: "\n")).map(Array.init) }
  }

  private static func endsWithNewline(_ path: String) throws(FileError) -> Bool {
    try MappedFile(path: path).withBytes { $0.last.map { $0 == UInt8(ascii: "\n") } ?? true }
  }
}

/// One line of `metrics.jsonl`.
public struct MetricsRecord: Sendable, Equatable {
  public let step: Int
  /// Seconds since 1970.
  public let time: Double
  /// The names and values in the order they were written; NaN for non-finite values.
  public let values: [(name: String, value: Double)]

  /// The value of this name, nil when the record has none.
  public subscript(name: String) -> Double? { values.first { $0.name == name }?.value }

  public static func == (left: MetricsRecord, right: MetricsRecord) -> Bool {
    left.step == right.step && left.time == right.time
      && left.values.elementsEqual(right.values) { $0.name == $1.name && $0.value == $1.value }
  }

  /// Reads all records of a run folder. Invalid lines, such as a truncated last one, are skipped.
  public static func readAll(folder: String) throws(FileError) -> [MetricsRecord] {
    try MetricsLog.lines(of: "\(folder)/\(MetricsLog.fileName)").compactMap { MetricsRecord(line: $0) }
  }

  init?(line: [UInt8]) {
    guard let object = try? JSONValue(parsing: line).object, let step = object["step"]?.integer,
      let time = object["time"]?.double
    else { return nil }
    self.step = step
    self.time = time
    values = object.members.compactMap { member in
      guard member.key != "step", member.key != "time" else { return nil }
      return member.value == .null ? (member.key, .nan) : member.value.double.map { (member.key, $0) }
    }
  }
}

/// A number with its name in `metrics.jsonl`, in TensorBoard and in JSON.
public struct Metric: Sendable, Equatable {
  public let name: String
  public let value: Double

  public init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
}
