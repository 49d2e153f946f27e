import Nabla

extension ProgressReport {
  /// The report as one line of at most `width` columns: what fits, the most important first; with a bar if there
  /// is room for one.
  ///
  /// - Parameter isUnicode: Whether block characters may be used.
  package func line(title: String, width: Int, isUnicode: Bool) -> String {
    let fraction = total > 0 ? min(1, max(0, Double(step) / Double(total))) : 0
    let percent = "\(Int(fraction * 100))%"
    var shown = [title.isEmpty ? percent : "\(title) \(percent)"]
    var columns = shown[0].count
    for (index, part) in parts.enumerated() {
      // The bar takes precedence over figures after the step, the loss, the time left and the speed.
      guard columns + 2 + part.count + (index < 4 ? 0 : 12) <= width else { break }
      shown.append(part)
      columns += 2 + part.count
    }
    let room = min(30, width - columns - 2)
    if room >= 8 { shown.insert(Self.bar(fraction, columns: room, isUnicode: isUnicode), at: 1) }
    return String(shown.joined(separator: "  ").prefix(max(0, width)))
  }

  /// A bar of the given columns, filled to a fraction in steps of an eighth of a column.
  package static func bar(_ fraction: Double, columns: Int, isUnicode: Bool) -> String {
    guard isUnicode else {
      let filled = Int(fraction * Double(columns - 2))
      return "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: columns - 2 - filled) + "]"
    }
    let eighths = Int(fraction * Double(columns * 8))
    let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    let filled = String(repeating: "█", count: eighths / 8) + partial
    return filled + String(repeating: "░", count: columns - filled.count)
  }
}
