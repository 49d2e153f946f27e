import Nabla

// The singular values of a fine-tuning update ΔW: an adapter's, or the difference of two models.

/// One line per matrix: the smallest ranks that retain 90 and 99 % of the energy, the norm, and the first singular
/// values.
func changesText(_ changes: [WeightChange]) -> String {
  let width = (changes.map(\.name.count).max() ?? 0) + 2
  func cell(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(width - text.count, 1)) }
  var lines = [
    cell("ΔW", width) + cell("shape", 16) + cell("rank 90 %", 11) + cell("rank 99 %", 11) + cell("norm", 10)
      + "singular values"
  ]
  for change in changes {
    let values = change.spectrum.values.prefix(5).map(significant).joined(separator: " ")
    lines.append(
      cell(printable(change.name), width) + cell("\(change.shape)", 16) + cell("\(change.rank90)", 11)
        + cell("\(change.rank99)", 11) + cell(significant(change.norm), 10) + values
        + (change.spectrum.values.count > 5 ? " …" : ""))
  }
  return lines.joined(separator: "\n") + "\n"
}

func changesJSON(_ changes: [WeightChange]) -> JSONValue {
  .array(
    changes.map { change in
      [
        "name": .string(change.name), "shape": .array(change.shape.map { .integer($0) }),
        "rank_90": .integer(change.rank90), "rank_99": .integer(change.rank99), "norm": .number(change.norm),
        "singular_values": .array(change.spectrum.values.map { .number($0) }),
      ]
    })
}

/// An adapter's folder: its configuration and updates.
func adapterText(_ i: AdapterInspection) -> String {
  let layers = Set(i.changes.map { String($0.name.split(separator: ".").last ?? "") }).sorted()
  return """
    format          PEFT adapter: \(i.kind), r \(i.rank), α \(significant(i.alpha))
    base model      \(printable(i.base ?? "unknown"))
    layers          \(i.changes.count): \(printable(layers.joined(separator: ", ")))
    parameters      \(grouped(i.parameterCount))

    \(changesText(i.changes))
    """
}

func adapterJSON(_ i: AdapterInspection) -> JSONValue {
  [
    "path": .string(i.path), "format": "PEFT adapter", "kind": .string(i.kind), "rank": .integer(i.rank),
    "alpha": .number(i.alpha), "base": i.base.map { .string($0) } ?? .null, "parameters": .integer(i.parameterCount),
    "changes": changesJSON(i.changes),
  ]
}

/// Three significant digits.
private func significant(_ x: Double) -> String {
  if x == 0 || !x.isFinite { return "\(x)" }
  var (value, digits) = (abs(x), 0)
  while value < 100 && digits < 12 { (value, digits) = (value * 10, digits + 1) }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let rounded = (x * scale).rounded() / scale
  return rounded == rounded.rounded() && abs(rounded) < 1e9 ? "\(Int(rounded))" : "\(rounded)"
}
