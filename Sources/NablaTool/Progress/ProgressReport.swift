import Nabla

/// A line about a step, for display.
package struct ProgressReport: Equatable {
  /// The total.
  package var step: Int
  package var total: Int
  /// The most important first.
  package var figures: [Figure] = []
  /// Bytes in use.
  package var memory: Int?
  package var secondsLeft: Double?
  /// What is under way, where it takes long.
  package var activity: String?

  package init(step: Int, total: Int, figures: [Figure] = [], memory: Int? = nil, secondsLeft: Double? = nil) {
    (self.step, self.total, self.figures) = (step, total, figures)
    (self.memory, self.secondsLeft) = (memory, secondsLeft)
  }

  /// The parts of the display, the most important first.
  package var parts: [String] {
    let figures = figures.map(\.text)
    let left = secondsLeft.map { "\(duration($0)) left" }
    let memory = memory.map { "\(scaled(Double($0), [" B", " kB", " MB", " GB", " TB"]))" }
    return [activity ?? "\(step)/\(total)"] + figures.prefix(1) + [left].compactMap { $0 } + figures.dropFirst()
      + [memory].compactMap { $0 }
  }
}

extension Figure {
  /// "12.3k tok/s", or "loss 1.234".
  fileprivate var text: String {
    isRate
      ? "\(scaled(value, ["", "k", "M", "G"])) \(label)"
      : "\(label) \(significant((value * 1e4).rounded() / 1e4, digits: 4, places: 4))"
  }
}
