import FoundationEssentials

/// A value as JSON, by its `Codable` conformance.
package func encoded(_ value: some Encodable) -> JSONValue {
  let encoder = JSONEncoder()
  // Equal values give equal files.
  encoder.outputFormatting = .sortedKeys
  // Encoding our own flat configurations cannot fail; were it to, the file would say null and reading would tell.
  return (try? JSONValue(parsing: Array(encoder.encode(value)))) ?? .null
}

package func decodedJSON<Value: Decodable>(_ json: JSONValue, as type: Value.Type) throws -> Value {
  try JSONDecoder().decode(type, from: Data(json.serialized().utf8))
}

extension JSONEncoder {
  /// Writes infinities and NaN, which JSON's numbers lack, as text: spaces often have infinite bounds.
  package static var keepingNonFinite: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return encoder
  }
}

extension JSONDecoder {
  /// Reads what ``JSONEncoder/keepingNonFinite`` wrote.
  package static var keepingNonFinite: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return decoder
  }
}

/// Writes a value as a JSON file, atomically. Every number is kept exactly, including 64-bit ones
/// that a ``JSONValue`` cannot hold, infinities and NaN.
package func writeJSON(_ value: some Encodable, to path: String) throws {
  let encoder = JSONEncoder.keepingNonFinite
  encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
  try AtomicFile.write(Array(encoder.encode(value)), to: path)
}

/// Reads what ``writeJSON(_:to:)`` wrote.
/// - Throws: ``JSONFileError`` that names the file, and what reading it throws.
package func readJSON<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
  let bytes = try MappedFile(path: path).withBytes { Data($0) }
  do {
    return try JSONDecoder.keepingNonFinite.decode(type, from: bytes)
  } catch {
    throw JSONFileError(path: path, problem: "\(error)")
  }
}

/// A JSON file with unexpected contents.
package struct JSONFileError: Error, CustomStringConvertible {
  package let path: String
  package let problem: String
  package var description: String { "\(path) does not have the expected contents: \(problem)" }
}
