import Nabla

extension Comparison {
  /// What the page's table says, for a terminal.
  var table: String {
    var head = ["model"] + functions.map { $0 == "reward_model" ? "reward model" : $0 }
    if reference != nil { head.append("KL") }
    head += ["length", "truncated", "repeated", "training", "memory"]
    return columns([head] + models.map(row))
  }

  private func row(_ model: Model) -> [String] {
    let n = Double(max(model.completions.count, 1))
    func mean(_ value: (Completion) -> Double) -> Double { model.completions.reduce(0) { $0 + value($1) } / n }
    var row = [model.name]
    for i in functions.indices { row.append(rounded(mean { $0.scores[i] })) }
    if reference != nil { row.append(rounded(mean { $0.logRatio ?? 0 })) }
    row.append(rounded(mean { Double($0.tokenCount) }))
    row.append("\(rounded(100 * mean { $0.isTruncated ? 1 : 0 })) %")
    row.append("\(rounded(100 * mean(\.repetition))) %")
    row.append(model.seconds.map { duration($0) } ?? "-")
    row.append(model.memory.map { "\(rounded($0 / 1_048_576)) MiB" } ?? "-")
    return row
  }
}
