extension DecodingError {
  private var context: Context {
    switch self {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
      .dataCorrupted(let context):
      context
    @unknown default: Context(codingPath: [], debugDescription: "unreadable")
    }
  }

  /// The path to the value, as `attention[0].heads[2].entropy`.
  package var place: String {
    let path = context.codingPath.reduce(into: "") { path, key in
      path += key.intValue.map { "[\($0)]" } ?? (path.isEmpty ? key.stringValue : ".\(key.stringValue)")
    }
    if case .keyNotFound(let key, _) = self { return path.isEmpty ? key.stringValue : "\(path).\(key.stringValue)" }
    return path.isEmpty ? "the file" : path
  }

  package var problem: String {
    if case .keyNotFound = self { return "is missing" }
    return context.debugDescription
  }
}
