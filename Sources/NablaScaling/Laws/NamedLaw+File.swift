import NablaFormats

/// A fitted law as a JSON file: its constants, the largest compute of its points, and refits of samples for intervals.
extension NamedLaw {
  /// The JSON text; nil for a law that is not parametric.
  public func json(sampleLimit: Int = 400) -> JSONValue? {
    guard let law = chinchilla else { return nil }
    var object = JSONObject([("form", "chinchilla"), ("title", .string(title))])
    for (name, path) in Self.constants { object[name] = .number(law[keyPath: path]) }
    object["smallest_compute"] = smallestCompute.map { .number($0) }
    object["largest_compute"] = largestCompute.map { .number($0) }
    object["samples"] = .array(
      samples.prefix(sampleLimit).map { sample in .array(Self.constants.map { .number(sample[keyPath: $0.1]) }) })
    return .object(object)
  }

  private static var constants: [(String, WritableKeyPath<Chinchilla, Double>)] {
    [("E", \.E), ("A", \.A), ("B", \.B), ("alpha", \.alpha), ("beta", \.beta)]
  }

  /// Reads the output of ``json(sampleLimit:)``.
  ///
  /// - Throws: ``LawFileError`` that names the field, `JSONError` or `FileError`.
  public init(contentsOfFile path: String) throws {
    let object = try JSONValue(contentsOfFile: path)
    guard object["form"]?.string == "chinchilla" else {
      throw LawFileError(file: path, problem: "not a law: the field 'form' must be \"chinchilla\"")
    }
    func law(_ value: (Int, String) -> Double?, _ place: String) throws(LawFileError) -> Chinchilla {
      var law = Chinchilla(E: 0, A: 0, B: 0, alpha: 0, beta: 0)
      for (index, (name, keyPath)) in Self.constants.enumerated() {
        guard let number = value(index, name), number.isFinite, number > 0 || name == "E" && number == 0 else {
          throw LawFileError(file: path, problem: "\(place)'\(name)' must be a positive number")
        }
        law[keyPath: keyPath] = number
      }
      guard law.hasOptimum else {
        throw LawFileError(file: path, problem: "\(place)these constants give no finite optimal size")
      }
      return law
    }
    let samples = try (object["samples"]?.array ?? []).enumerated().compactMap { (row, value) -> Chinchilla? in
      guard let numbers = value.array, numbers.count == 5 else {
        throw LawFileError(file: path, problem: "sample \(row + 1) is not a list of five numbers")
      }
      // A refit whose irreducible loss or exponents are out of range has no meaningful optimum.
      return try? law({ index, _ in numbers[index].double }, "sample \(row + 1): ")
    }
    self.init(
      name: path, title: object["title"]?.string ?? path,
      form: .chinchilla(try law({ object[$1]?.double }, "")), largestCompute: object["largest_compute"]?.double,
      smallestCompute: object["smallest_compute"]?.double, samples: samples)
  }
}

/// An error in a law file.
public struct LawFileError: Error, Equatable, Sendable, CustomStringConvertible {
  public var file: String
  public var problem: String
  public var description: String { "\(file): \(problem)" }
}
