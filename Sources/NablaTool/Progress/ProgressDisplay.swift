import Glibc
import Nabla
import Synchronization

/// Shows the events of a run: a progress bar on a terminal, plain lines elsewhere, or JSON lines.
///
/// ```swift
/// let display = ProgressDisplay(title: "pretrain")
/// let outcome = try run.train { event in display.show(event) }
/// display.finish()
/// ```
///
/// Unchecked: its state is used by whoever holds its lock.
package final class ProgressDisplay: @unchecked Sendable {
  package enum Style: Sendable {
    /// A bar if standard error is a terminal, otherwise lines.
    case automatic
    case bar
    case lines
    /// One JSON object for every update, on standard output.
    case json
    case silent
  }

  private let title: String
  private let style: Style
  private let output: Int32
  private let now: () -> Double
  /// Whether the user's terminal supports block characters.
  package let isUnicode: Bool
  /// Seconds between two displays: short enough to look alive, long enough not to flicker or to fill a log.
  private let interval: Double

  /// Held while any of what follows is used: a thread of its own shows that time passes.
  private let lock = Mutex(())
  private var ticker: Ticker?
  /// What has begun, in words, and when.
  private var activity: (text: String, began: Double)?
  private var lastDisplay = -Double.infinity
  private var pending: ProgressReport?
  private var isBarShown = false
  private var latest: ProgressReport?
  private var recentRates: [String: [Double]] = [:]

  package convenience init(title: String, style: Style = .automatic) {
    self.init(title: title, style: style, output: style == .json ? STDOUT_FILENO : STDERR_FILENO, now: monotonicSeconds)
  }

  package init(title: String, style: Style, output: Int32, now: @escaping () -> Double) {
    let isTerminal = isatty(output) == 1 && environment("TERM") != "dumb"
    let resolved: Style = style != .automatic ? style : isTerminal ? .bar : .lines
    self.title = title
    self.style = resolved
    self.output = output
    self.now = now
    interval = resolved == .bar ? 0.1 : 5
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty } ?? ""
    isUnicode = locale.lowercased().contains("utf-8") || locale.lowercased().contains("utf8")
  }

  /// Takes note of what begins, so that a display of long work tells what it is waiting for.
  package func begin(_ activity: RunActivity) {
    guard style == .bar || style == .lines else { return }
    lock.withLock { _ in
      self.activity = (activity.text, now())
      if ticker == nil { ticker = Ticker(every: style == .bar ? 1 : 5) { [weak self] in self?.tick() } }
    }
  }

  /// Shows what is under way, if nothing else was shown for a while.
  package func tick() {
    lock.withLock { _ in
      let time = now()
      guard let activity, time - max(lastDisplay, activity.began) >= (style == .bar ? 1 : 5) else { return }
      let line = "\(activity.text) (\(duration(time - activity.began)))"
      if let pending { return show(pending) }
      if style == .bar {
        var report = latest ?? ProgressReport(step: 0, total: 1)
        report.activity = line
        lastDisplay = time
        write("\r" + self.line(for: report) + "\u{1B}[K")
        isBarShown = true
      } else {
        lastDisplay = time
        write([title, line].filter { !$0.isEmpty }.joined(separator: "  ") + "\n")
      }
    }
  }

  /// Shows an event of a run.
  package func show(_ event: RunEvent) { lock.withLock { _ in showLocked(event) } }

  private func showLocked(_ event: RunEvent) {
    if style == .json, let object = event.json { return write(object.serialized() + "\n") }
    switch event {
    case .message(let text): messageLocked(text)
    case .warning(let text): messageLocked("warning: \(text)")
    case .step(let step): updateLocked(report(of: step))
    case .evaluated(let step, let metrics):
      let values = metrics.map { "\($0.name.replacing("_", with: " ")) \(significant($0.value, digits: 4))" }
      messageLocked("step \(step): \(values.joined(separator: ", "))")
    case .sample(let step, let sample): messageLocked("--- sample at step \(step) ---\n\(printable(sample.text))\n---")
    case .saved: break
    }
  }

  /// Rates are averaged over the last steps: single ones fluctuate.
  private func report(of step: RunStep) -> ProgressReport {
    let figures = step.report.figures.map { figure in
      guard figure.isRate else { return figure }
      recentRates[figure.label, default: []].append(figure.value)
      if recentRates[figure.label]!.count > 20 { recentRates[figure.label]!.removeFirst() }
      let recent = recentRates[figure.label]!
      // Steps are of equal size: the overall rate is the harmonic mean of theirs.
      return Figure(
        figure.label, Double(recent.count) / recent.reduce(0) { $0 + 1 / max($1, 1e-9) }, isRate: true)
    }
    return ProgressReport(
      step: min(step.progress.done, step.progress.total), total: step.progress.total, figures: figures,
      memory: step.memory, secondsLeft: step.secondsLeft)
  }

  /// Shows a report, unless the last one was shown very recently. The final step is always shown.
  package func update(_ report: ProgressReport) { lock.withLock { _ in updateLocked(report) } }

  private func updateLocked(_ report: ProgressReport) {
    latest = report
    guard report.step >= report.total || now() - lastDisplay >= interval else {
      pending = report
      return
    }
    show(report)
  }

  /// Prints a line of text above the bar. With JSON it becomes `{"message": …}`.
  package func message(_ text: String) { lock.withLock { _ in messageLocked(text) } }

  private func messageLocked(_ text: String) {
    switch style {
    case .silent: break
    case .json: write((["message": .string(text)] as JSONValue).serialized() + "\n")
    case .lines, .automatic: write(text + "\n")
    case .bar:
      // One write for all three, so that the bar does not flicker.
      let bar = isBarShown ? latest.map { line(for: $0) } : nil
      write((isBarShown ? "\r\u{1B}[K" : "") + text + "\n" + (bar ?? ""))
    }
  }

  /// Shows what was held back, and leaves the terminal on a fresh line.
  package func finish() {
    let ticker = lock.withLock { _ -> Ticker? in
      if let pending { show(pending) }
      if isBarShown { write("\n") }
      isBarShown = false
      activity = nil
      defer { self.ticker = nil }
      return self.ticker
    }
    ticker?.stop()
  }

  private func show(_ report: ProgressReport) {
    pending = nil
    lastDisplay = now()
    switch style {
    case .bar:
      // Overwrite first and erase the rest after, so that no moment shows an empty line.
      write("\r" + line(for: report) + "\u{1B}[K")
      isBarShown = true
    case .lines, .automatic:
      write(([title].filter { !$0.isEmpty } + report.parts).joined(separator: "  ") + "\n")
    case .json, .silent: break
    }
  }

  /// The last column stays free: many terminals wrap when it is written.
  private func line(for report: ProgressReport) -> String {
    report.line(title: title, width: terminalWidth(output) - 1, isUnicode: isUnicode)
  }

  private func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { pointer in
        retryingInterrupts { Glibc.write(output, pointer.baseAddress, pointer.count) }
      }
      // A closed pipe must not end training.
      if count <= 0 { return }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// The columns of the terminal behind a descriptor, queried each time because windows are resized; 80 when unknown.
private func terminalWidth(_ descriptor: Int32) -> Int {
  var size = winsize()
  guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
  return Int(size.ws_col)
}

/// The value of an environment variable.
private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

extension RunEvent {
  /// One JSON object for programs; nil for events they do not need.
  fileprivate var json: JSONValue? {
    func object(_ step: Int, _ metrics: [Metric], _ more: [(String, JSONValue?)] = []) -> JSONValue {
      var object = JSONObject([("step", .integer(step))])
      for (name, value) in more { object[name] = value }
      for metric in metrics { object[metric.name] = .number(metric.value) }
      return .object(object)
    }
    switch self {
    case .message(let text): return ["message": .string(text)]
    case .warning(let text): return ["warning": .string(text)]
    case .step(let step):
      return object(
        step.progress.done, step.report.metrics,
        [("total", .integer(step.progress.total)), ("seconds_left", step.secondsLeft.map { .number($0) })])
    case .evaluated(let step, let metrics): return object(step, metrics)
    case .sample(let step, let sample): return object(step, [], [("sample", .string(sample.text))])
    case .saved(let step): return ["saved": .integer(step)]
    }
  }
}
