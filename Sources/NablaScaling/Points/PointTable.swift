import NablaFormats

/// Training runs read from a table of comma-separated values (RFC 4180), whose first line names the columns.
///
/// Two of N, D and C are required, with the loss. Columns may have the usual names of papers and tools, in upper or
/// lower case:
///
/// | | names |
/// |---|---|
/// | N | N, parameters, params, model size |
/// | D | D, tokens, training tokens |
/// | C | C, compute, flop, flops, training flop |
/// | loss | loss, L, validation loss |
/// | U | U, unique tokens: how many of D are unique |
///
/// Other columns are kept as they are. Lines that are empty or begin with # are skipped.
public struct PointTable: Sendable {
  public var points: [ScalingPoint]
  /// The names of the other columns.
  public var extraColumns: [String]
  /// The source of the points.
  public var file: String

  /// - Throws: ``PointError`` that names the line, or `FileError`.
  public init(contentsOfFile path: String) throws {
    let text = try MappedFile(path: path).withBytes { String(decoding: $0, as: UTF8.self) }
    try self.init(text, file: path)
  }

  /// - Parameters:
  ///   - text: CSV with a header.
  ///   - file: The file's name in errors.
  public init(_ text: String, file: String) throws(PointError) {
    self.file = file
    let rows = try CSV.rows(text, file: file)
    guard let header = rows.first else {
      throw PointError(.tooFew(found: 0, needed: 6, purpose: "a table of training runs"), file: file)
    }
    let columns = try Columns(header, file: file)
    extraColumns = columns.extra.map { header.fields[$0] }
    points = []
    for row in rows.dropFirst() { points.append(try columns.point(row, header: header, file: file)) }
    try Self.checkUnits(points, lines: rows.dropFirst().map(\.line), file: file)
  }

  /// Counts in millions or billions are obvious: no language model has 70 parameters.
  private static func checkUnits(_ points: [ScalingPoint], lines: [Int], file: String) throws(PointError) {
    for (point, line) in zip(points, lines) {
      for (column, value) in [("N", point.parameters), ("D", point.tokens)] where value < 1_000 {
        let suggestion =
          "that many \(column == "N" ? "parameters" : "tokens")? Give the count itself, 1.4e9 and not 1.4"
        throw PointError(.unit(column: column, value: value, suggestion: suggestion), file: file, line: line)
      }
    }
  }
}

/// The columns of the quantities.
private struct Columns {
  var parameters: Int?
  var tokens: Int?
  var compute: Int?
  var loss: Int
  var uniqueTokens: Int?
  var extra: [Int] = []

  init(_ header: CSV.Row, file: String) throws(PointError) {
    var found: [String: Int] = [:]
    for (index, field) in header.fields.enumerated() {
      let name = field.lowercased().filter { $0.isLetter || $0.isNumber }
      guard let key = Self.names[name] else {
        extra.append(index)
        continue
      }
      if found.updateValue(index, forKey: key) != nil {
        throw PointError(.duplicateColumn(key), file: file, line: header.line)
      }
    }
    (parameters, tokens, compute, uniqueTokens) = (found["N"], found["D"], found["C"], found["U"])
    guard let loss = found["loss"] else {
      throw PointError(.missingColumn("loss", found: header.fields), file: file, line: header.line)
    }
    self.loss = loss
    if [parameters, tokens, compute].count(where: { $0 != nil }) < 2 {
      let missing = parameters == nil && compute == nil ? "N or C" : parameters == nil ? "N" : "D or C"
      throw PointError(.missingColumn(missing, found: header.fields), file: file, line: header.line)
    }
  }

  private static let names = [
    "n": "N", "parameters": "N", "params": "N", "modelsize": "N", "d": "D", "tokens": "D", "trainingtokens": "D",
    "c": "C", "compute": "C", "flop": "C", "flops": "C", "trainingflop": "C", "trainingflops": "C", "loss": "loss",
    "l": "loss", "validationloss": "loss", "u": "U", "uniquetokens": "U",
  ]

  func point(_ row: CSV.Row, header: CSV.Row, file: String) throws(PointError) -> ScalingPoint {
    if row.fields.count != header.fields.count {
      throw PointError(
        .fieldCount(found: row.fields.count, expected: header.fields.count), file: file, line: row.line)
    }
    func number(_ column: Int) throws(PointError) -> Double {
      let (name, text) = (header.fields[column], row.fields[column])
      guard let value = Double(text) else {
        throw PointError(.notANumber(column: name, text: String(text.prefix(60))), file: file, line: row.line)
      }
      guard value > 0, value.isFinite else {
        throw PointError(.notPositive(column: name, value: value), file: file, line: row.line)
      }
      return value
    }
    let (n, d, c) = (
      try parameters.map { (column) throws(PointError) in try number(column) },
      try tokens.map { (column) throws(PointError) in try number(column) },
      try compute.map { (column) throws(PointError) in try number(column) }
    )
    let loss = try number(loss)
    if loss > 20 {
      throw PointError(
        .implausibleLoss(loss, problem: "nats per token is worse than guessing among 485 million tokens"), file: file,
        line: row.line)
    }
    if loss < 0.1 {
      throw PointError(
        .implausibleLoss(
          loss, problem: "is below the entropy of any text: use nats per token, on held-out text"),
        file: file, line: row.line)
    }
    let size = n ?? c! / (6 * d!)
    let length = d ?? c! / (6 * size)
    let product = 6 * size * length
    guard product > 0, product.isFinite else {
      throw PointError(.notPositive(column: "6ND", value: product), file: file, line: row.line)
    }
    if let c, !(0.2...5).contains(c / product) {
      throw PointError(
        .unit(column: "C", value: c, suggestion: "6ND is \(product); are N, D and C in parameters, tokens and FLOP?"),
        file: file, line: row.line)
    }
    let unique = try uniqueTokens.map { (column) throws(PointError) in try number(column) }
    return ScalingPoint(
      parameters: size, tokens: length, loss: loss, uniqueTokens: unique,
      extra: Dictionary(extra.map { (header.fields[$0], row.fields[$0]) }) { first, _ in first })
  }
}
