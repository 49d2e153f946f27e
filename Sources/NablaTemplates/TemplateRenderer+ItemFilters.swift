import NablaFormats

/// The filters that pick, sort and change the items of a list or mapping.
extension TemplateRenderer {
  /// `a.b.0` as the names and indices to follow.
  func path(_ value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
    if value.wholeNumber != nil { return [value] }
    guard let bytes = value.textBytes else { throw failure("an attribute must be text, not \(value.typeName)") }
    try spend(UTF8Text.count(of: [UInt8(ascii: ".")], in: bytes))
    return UTF8Text.split(bytes, by: [UInt8(ascii: ".")]).map { part in
      Int(String(decoding: part, as: UTF8.self)).map { .integer($0) } ?? .string(part)
    }
  }

  func follow(_ path: [TemplateValue], from value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
    var value = value
    for part in path { value = try item(part, of: value) }
    return value
  }

  func picked(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let items = try items(of: value, "filter")
    try spend(items.count)
    var rest = arguments
    func next(_ what: String) throws(ChatTemplateError) -> TemplateValue {
      if rest.positional.isEmpty { throw failure("the filter '\(name)' needs \(what)") }
      return rest.positional.removeFirst()
    }
    func nextName(_ what: String) throws(ChatTemplateError) -> String {
      guard let bytes = try next(what).textBytes else { throw failure("the filter '\(name)' needs \(what)") }
      return String(decoding: bytes, as: UTF8.self)
    }
    if name == "map" {
      if arguments.positional.isEmpty {
        let given = try arguments.bind(name, ["attribute", "default"], required: 1, self)
        let path = try path(given[0]!)
        return .iterator(
          TemplateIterator(
            try items.map { (item) throws(ChatTemplateError) in
              let value = try follow(path, from: item)
              if case .undefined = value, let fallback = given[1] { return fallback }
              return value
            }))
      }
      let filter = try nextName("the name of a filter")
      return .iterator(
        TemplateIterator(try items.map { (item) throws(ChatTemplateError) in try self.filter(filter, item, rest) }))
    }
    let path = name.hasSuffix("attr") ? try path(try next("an attribute")) : []
    let test = rest.positional.isEmpty ? nil : try nextName("the name of a test")
    let keeps = name.hasPrefix("select")
    var kept: [TemplateValue] = []
    for item in items {
      let value = try follow(path, from: item)
      let holds = try test.map { (test) throws(ChatTemplateError) in try self.test(test, value, rest) } ?? value.isTrue
      if holds == keeps { kept.append(item) }
    }
    return .iterator(TemplateIterator(kept))
  }

  private func lowered(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
    guard case .string(let bytes) = value else { return value }
    return try changed(bytes, "lower")
  }

  /// Sorts as Python does: stable, and only what can be compared.
  private func sorted(
    _ items: [TemplateValue], descending: Bool, by key: (TemplateValue) throws(ChatTemplateError) -> TemplateValue
  ) throws(ChatTemplateError) -> [TemplateValue] {
    var keyed: [(key: TemplateValue, item: TemplateValue)] = []
    for item in items { keyed.append((try key(item), item)) }
    // A merge sort by hand: the standard library's does not take typed errors.
    func sort(_ part: ArraySlice<(key: TemplateValue, item: TemplateValue)>)
      throws(ChatTemplateError) -> [(key: TemplateValue, item: TemplateValue)]
    {
      if part.count < 2 { return Array(part) }
      let middle = part.startIndex + part.count / 2
      let (left, right) = (try sort(part[..<middle]), try sort(part[middle...]))
      var merged: [(key: TemplateValue, item: TemplateValue)] = []
      var (i, j) = (0, 0)
      while i < left.count, j < right.count {
        try spend()
        let takesRight =
          descending ? try isLess(left[i].key, right[j].key, "<") : try isLess(right[j].key, left[i].key, "<")
        if takesRight {
          merged.append(right[j])
          j += 1
        } else {
          merged.append(left[i])
          i += 1
        }
      }
      return merged + left[i...] + right[j...]
    }
    return try sort(keyed[...]).map(\.item)
  }

  func sortedEntries(_ value: TemplateValue, _ given: [TemplateValue?]) throws(ChatTemplateError)
    -> TemplateValue
  {
    guard case .dictionary(let dictionary) = value else { throw failure("dictsort of \(value.typeName)") }
    var place = 0
    if let by = given[1]?.textBytes {
      place = String(decoding: by, as: UTF8.self) == "value" ? 1 : 0
    }
    let isCaseSensitive = given[0]?.isTrue ?? false
    let entries = try pairs(dictionary.entries)
    return try list(
      try sorted(entries, descending: given[2]?.isTrue ?? false) { (entry) throws(ChatTemplateError) in
        let key = try item(.integer(place), of: entry)
        return isCaseSensitive ? key : try lowered(key)
      })
  }

  func ordered(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let parameters = name == "sort" ? ["reverse", "case_sensitive", "attribute"] : ["case_sensitive", "attribute"]
    var given = try arguments.bind(name, parameters, required: 0, self)
    let descending = name == "max" || (name == "sort" && given.removeFirst()?.isTrue ?? false)
    let isCaseSensitive = given[0]?.isTrue ?? false
    let path = try given[1].map(path) ?? []
    func key(_ item: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
      let key = try follow(path, from: item)
      return isCaseSensitive ? key : try lowered(key)
    }
    let items = try items(of: value, name)
    if name == "unique" {
      var keys: [TemplateValue] = []
      var kept: [TemplateValue] = []
      for item in items {
        let key = try key(item)
        var isNew = true
        for other in keys where try isEqual(key, other) {
          isNew = false
          break
        }
        if isNew {
          keys.append(key)
          kept.append(item)
        }
      }
      return .iterator(TemplateIterator(kept))
    }
    let sorted = try sorted(items, descending: descending, by: key)
    return name == "sort" ? try list(sorted) : sorted.first ?? .undefined("the \(name) of nothing")
  }
}
