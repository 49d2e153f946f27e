import FoundationEssentials
import NablaTraining

/// What the page gets: the value, how long it took, which file computed it and with which model.
struct StudioAnswer: Encodable {
  let value: any Encodable
  let milliseconds: Double
  let file: String
  /// The language model that took part; nil where none did.
  let model: String?

  enum CodingKeys: String, CodingKey { case value, milliseconds, file, model }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(value, forKey: .value)
    try container.encode(milliseconds, forKey: .milliseconds)
    try container.encode(file, forKey: .file)
    try container.encodeIfPresent(model, forKey: .model)
  }
}

extension Studio {
  /// Runs a computation of a step: what `GET /api/STEP/NAME?…` answers.
  /// - Throws: ``StudioError`` for a name that no step has, and what the computation throws.
  public func answer(_ step: String, _ name: String, _ query: StudioQuery = StudioQuery()) throws -> [UInt8] {
    let computation = try computation(step, name)
    guard case .answer(let function) = computation.work else {
      throw StudioError("\(step)/\(name) is a job: ask for its stream")
    }
    let start = monotonicSeconds()
    let use = StudioModel.Use()
    let value = try StudioModel.$use.withValue(use) { try function(query, self) }
    let elapsed = 1000 * (monotonicSeconds() - start)
    return try studioJSON(
      StudioAnswer(
        value: value, milliseconds: (10 * elapsed).rounded() / 10, file: computation.file, model: use.name))
  }

  func computation(_ step: String, _ name: String) throws(StudioError) -> Computation {
    guard let computation = steps.first(where: { $0.name == step })?.computation(name) else {
      throw StudioError("no step computes \(step)/\(name)")
    }
    return computation
  }
}

/// A value as JSON for the page. Numbers that are not finite become the strings "Infinity", "-Infinity" and "NaN".
func studioJSON(_ value: any Encodable) throws -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
  return try Array(encoder.encode(value))
}

/// A tensor for the page: its shape and its elements in row-major order.
public struct StudioTensor: Encodable, Sendable {
  public let shape: [Int]
  public let values: [Float]

  public init(_ values: [Float], _ shape: [Int]) {
    precondition(values.count == shape.reduce(1, *), "a page's tensor: \(values.count) values for shape \(shape)")
    (self.shape, self.values) = (shape, values)
  }
}
