import FoundationEssentials
import NablaStudio

/// What the page gets, decoded.
struct Answered<Value: Decodable>: Decodable {
  let value: Value
  let milliseconds: Double
  let file: String
}

struct DecodedTensor: Decodable {
  let shape: [Int]
  let values: [Double]

  func row(_ i: Int) -> [Double] { Array(values[i * shape[1]..<(i + 1) * shape[1]]) }
}

/// A studio without a trained model, which tests need not find anywhere.
let untrained = Studio(.init(model: ""))

extension Studio {
  func decoded<Value: Decodable>(
    _ step: String, _ name: String, _ query: [String: String] = [:], as type: Value.Type = Value.self
  ) throws -> Answered<Value> {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return try decoder.decode(Answered<Value>.self, from: Data(answer(step, name, StudioQuery(query))))
  }
}

/// Calls `body` with a new folder, which is removed afterward.
func withTemporaryFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
  let folder = "\(FileManager.default.temporaryDirectory.path)/nabla-studio-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try body(folder)
}
