import NablaFormats

extension DatasetAudit {
  /// The audit in human-readable form.
  ///
  /// - Parameter colored: Whether learned text is also green and bold (ANSI escapes).
  public func text(colored: Bool = false) -> String {
    var lines: [String] = []
    func fact(_ name: String, _ value: String) {
      lines.append(name + String(repeating: " ", count: max(1, 18 - name.count)) + Self.readable(value))
    }
    fact("data", files.joined(separator: " "))
    let kind = (shape?.rawValue ?? "no rows") + (isConversational ? ", as messages" : "")
    fact("examples", "\(exampleCount) (\(kind))")
    fact("model", model)
    if isConversational {
      if let template {
        fact(
          "template",
          template.marksGeneration
            ? "marks the assistant's turns" : "has no {% generation %} marks; turns are found by rendering prefixes")
        fact("system prompt", template.defaultSystemPrompt.map { "by default \(String(reflecting: $0))" } ?? "none")
      } else {
        fact("template", "none")
      }
    }
    let roles = [("BOS", beginning), ("EOS", end), ("PAD", padding)].map { name, token in
      "\(name) " + (token.map { "\($0.content) (\($0.id))" } ?? "none")
    }
    fact("special tokens", roles.joined(separator: ", "))
    fact("tokens", Self.described(lengths))
    if shape != .promptOnly { fact("learned", Self.described(trainedLengths)) }
    if let maximumLength {
      fact("maximum length", "\(maximumLength): \(truncatedCount) truncated, \(droppedCount) dropped")
    }
    for sample in samples { lines += [""] + Self.lines(sample, colored) }
    if !findings.isEmpty { lines.append("") }
    for finding in findings {
      let places = finding.places.map(\.description).joined(separator: "; ")
      let more = finding.count > finding.places.count ? "; and \(finding.count - finding.places.count) more" : ""
      lines.append(
        Self.readable(
          "\(finding.kind.isFatal ? "error" : "warning"): \(finding.kind.rawValue) (\(finding.count)): "
            + "\(finding.message)"))
      lines.append(Self.readable("  at \(places)\(more)"))
    }
    if exampleCount > 0, droppedCount == exampleCount {
      lines.append("error: nothing is left within the maximum length; raise it")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func described(_ d: Distribution) -> String {
    let mean = (d.mean * 10).rounded() / 10
    return "\(d.total) in total; a sequence has \(d.minimum) to \(d.maximum), median \(d.median), mean \(mean), "
      + "95% at most \(d.percentile95)"
  }

  /// Each line of the sample, prefixed with whether it is learned.
  private static func lines(_ sample: Sample, _ colored: Bool) -> [String] {
    let title = sample.name.map { "\($0) of \(sample.place)" } ?? "\(sample.place)"
    var lines = [readable("\(title) (\(sample.parts.reduce(0) { $0 + $1.tokenCount }) tokens):")]
    for part in sample.parts {
      let label = part.isTrained ? "  learned | " : "  masked  | "
      for line in shortened(part.text).split(separator: "\n", omittingEmptySubsequences: false) {
        let text = readable(String(line))
        lines.append(label + (colored && part.isTrained ? "\u{1B}[1;32m\(text)\u{1B}[0m" : text))
      }
    }
    return lines
  }

  /// The beginning and the end of a long segment.
  private static func shortened(_ text: String) -> String {
    let shown = 1200
    if text.count <= shown { return text }
    return text.prefix(shown * 2 / 3) + "\n… \(text.count - shown) more characters …\n" + text.suffix(shown / 3)
  }

  /// Text from a file without terminal control characters.
  private static func readable(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control where scalar != "\t", .format, .lineSeparator, .paragraphSeparator:
        result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      default: result.append(scalar)
      }
    }
    return String(result)
  }
}
