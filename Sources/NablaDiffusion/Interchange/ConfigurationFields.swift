import NablaFormats

/// The fields of one of diffusers' configuration files, with the file's name for errors.
struct ConfigurationFields {
  let file: String
  let object: JSONObject

  init(path: String) throws {
    file = path
    guard let object = try JSONValue(contentsOfFile: path).object else {
      throw DataError(file: path, problem: "not a JSON object")
    }
    self.object = object
  }

  /// nil if the field is absent or null.
  private func value(_ name: String) -> JSONValue? {
    guard let value = object[name], value != .null else { return nil }
    return value
  }

  func failure(_ name: String, _ problem: String) -> DataError {
    DataError(file: file, problem: "\"\(name)\" \(problem)")
  }

  private func read<Value>(_ name: String, _ what: String, _ convert: (JSONValue) -> Value?) throws(DataError) -> Value?
  {
    guard let value = value(name) else { return nil }
    guard let result = convert(value) else { throw failure(name, "is \(value.serialized()), not \(what)") }
    return result
  }

  func string(_ name: String) throws(DataError) -> String? { try read(name, "a text") { $0.string } }
  func bool(_ name: String) throws(DataError) -> Bool? { try read(name, "true or false") { $0.bool } }
  func number(_ name: String) throws(DataError) -> Double? { try read(name, "a number") { $0.double } }

  /// An integer for a size.
  func size(_ name: String) throws(DataError) -> Int? {
    try read(name, "a number from 0 to 65536") { $0.integer.flatMap { 0...65536 ~= $0 ? $0 : nil } }
  }

  func sizes(_ name: String) throws(DataError) -> [Int]? {
    try read(name, "a list of numbers from 1 to 65536") { value in
      guard let list = value.array, list.count <= 16 else { return nil }
      let sizes = list.compactMap(\.integer).filter { 1...65536 ~= $0 }
      return sizes.count == list.count ? sizes : nil
    }
  }

  func strings(_ name: String) throws(DataError) -> [String]? {
    try read(name, "a list of texts") { value in
      guard let list = value.array else { return nil }
      let strings = list.compactMap(\.string)
      return strings.count == list.count ? strings : nil
    }
  }

  func numbers(_ name: String) throws(DataError) -> [Double]? {
    try read(name, "a list of numbers") { value in
      guard let list = value.array else { return nil }
      let numbers = list.compactMap(\.double)
      return numbers.count == list.count ? numbers : nil
    }
  }

  /// Rejects a field with a value other than the only supported one, which is also that of an absent field.
  func demand(_ name: String, _ expected: JSONValue) throws(DataError) {
    if let found = value(name), found != expected {
      throw failure(name, "is \(found.serialized()); only \(expected.serialized()) is supported")
    }
  }
}
