import FoundationEssentials
import NablaFormats

/// A value as JSON, by its `Codable` conformance.
func encoded(_ value: some Encodable) -> JSONValue {
  let encoder = JSONEncoder()
  // Equal values make equal files.
  encoder.outputFormatting = .sortedKeys
  // Encoding our own flat configurations cannot fail; were it to, the file would say null and reading would tell.
  return (try? JSONValue(parsing: Array(encoder.encode(value)))) ?? .null
}

func decodedJSON<Value: Decodable>(_ json: JSONValue, as type: Value.Type) throws -> Value {
  try JSONDecoder().decode(type, from: Data(json.serialized().utf8))
}
