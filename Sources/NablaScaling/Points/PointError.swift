import NablaFormats

/// Why points cannot be read or fitted.
public struct PointError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    /// The header has no column for one of the quantities.
    case missingColumn(String, found: [String])
    case duplicateColumn(String)
    /// A line has a different number of fields than the header.
    case fieldCount(found: Int, expected: Int)
    case unfinishedQuote
    case notANumber(column: String, text: String)
    /// A number that must be positive and finite.
    case notPositive(column: String, value: Double)
    /// A number that is apparently in another unit.
    case unit(column: String, value: Double, suggestion: String)
    case implausibleLoss(Double, problem: String)
    case tooFew(found: Int, needed: Int, purpose: String)
    /// The points do not differ in a quantity of the law.
    case constant(String, value: Double)
    case noUniqueTokens
    /// The fitted law has no optimal split of a budget.
    case noOptimum(alpha: Double, beta: Double)
  }

  public var kind: Kind
  public var file: String?
  /// Counted from 1.
  public var line: Int?

  public init(_ kind: Kind, file: String? = nil, line: Int? = nil) {
    self.kind = kind
    self.file = file
    self.line = line
  }

  /// The error of points whose fitted law has no optimum; nil if it has one.
  package init?(noOptimumOf law: Chinchilla, file: String? = nil) {
    if law.hasOptimum { return nil }
    self.init(.noOptimum(alpha: law.alpha, beta: law.beta), file: file)
  }

  public var description: String {
    let place = [file, line.map { "line \($0)" }].compactMap { $0 }.joined(separator: ", ")
    return place.isEmpty ? problem : "\(place): \(problem)"
  }

  private var problem: String {
    switch kind {
    case .missingColumn(let name, let found):
      """
      there is no column for \(name); the header has \(found.joined(separator: ", ")). Give loss and two \
      of N (parameters), D (tokens) and C (FLOPs)
      """
    case .duplicateColumn(let name): "two columns are named '\(name)'"
    case .fieldCount(let found, let expected): "\(found) fields, but the first line names \(expected) columns"
    case .unfinishedQuote: "a quoted field has no end"
    case .notANumber(let column, let text): "'\(text)' in column \(column) is not a number"
    case .notPositive(let column, let value): "\(column) is \(value); it must be positive and finite"
    case .unit(let column, let value, let suggestion): "\(column) is \(value): \(suggestion)"
    case .implausibleLoss(let value, let problem): "a loss of \(value) \(problem)"
    case .tooFew(let found, let needed, let purpose): "\(found) points are too few: \(purpose) requires \(needed)"
    case .constant(let name, let value):
      "all points have the same \(name), \(value): a law requires runs that differ in it"
    case .noUniqueTokens: "no point has a number of unique tokens (column U)"
    case .noOptimum(let alpha, let beta):
      """
      the fitted exponents are α = \(significant(alpha, digits: 3)) and β = \(significant(beta, digits: 3)): the loss \
      of these runs does not decrease as a power of both parameters and tokens, so there is no optimum. Give runs \
      that differ more in both
      """
    }
  }

  /// - Throws: when `points` do not determine five parameters.
  static func check(_ points: [ScalingPoint]) throws(PointError) {
    if points.count < 6 {
      throw PointError(.tooFew(found: points.count, needed: 6, purpose: "a law with five parameters"))
    }
    for (name, value) in [("number of parameters", \ScalingPoint.parameters), ("number of tokens", \.tokens)] {
      let first = points[0][keyPath: value]
      if points.allSatisfy({ abs($0[keyPath: value] / first - 1) < 1e-3 }) {
        throw PointError(.constant(name, value: first))
      }
    }
  }
}
