import Glibc
import Nabla
import NablaTool
import Testing

private let full = ProgressReport(
  step: 840, total: 2000,
  figures: [Figure("loss", 1.23456), Figure("tok/s", 12_345, isRate: true), Figure("TFLOP/s", 0.42, isRate: true)],
  memory: 312_400_000, secondsLeft: 83)

@Suite struct ProgressTests {
  @Test func showsWhatFits() {
    let line = { (width: Int) in full.line(title: "pretrain", width: width, isUnicode: false) }
    #expect(
      line(120) == "pretrain 42%  [###########.................]  840/2000  loss 1.235  1:23 left  12.3k tok/s"
        + "  0.420 TFLOP/s  312 MB")
    #expect(line(80) == "pretrain 42%  [#######...........]  840/2000  loss 1.235  1:23 left  12.3k tok/s")
    #expect(line(40) == "pretrain 42%  840/2000  loss 1.235")
    #expect(line(5) == "pretr")
    for width in 0...200 {
      for isUnicode in [false, true] {
        #expect(full.line(title: "pretrain", width: width, isUnicode: isUnicode).count <= width)
      }
    }
  }

  @Test(arguments: [
    (0.0, "░░░░░░░░"), (1.0, "████████"), (0.5, "████░░░░"), (0.125, "█░░░░░░░"), (0.0625 + 0.125, "█▌░░░░░░"),
  ])
  func drawsTheBarInEighths(fraction: Double, bar: String) {
    #expect(ProgressReport.bar(fraction, columns: 8, isUnicode: true) == bar)
  }

  @Test func totalsOutOfRangeAreHarmless() {
    #expect(ProgressReport(step: 5, total: 0).line(title: "", width: 30, isUnicode: false).hasPrefix("0%"))
    #expect(ProgressReport(step: 50, total: 5).line(title: "", width: 12, isUnicode: false) == "100%  50/5")
    let strange = ProgressReport(
      step: 1, total: 2, figures: [Figure("loss", .nan), Figure("tok/s", .infinity, isRate: true)],
      secondsLeft: .infinity)
    #expect(strange.line(title: "", width: 70, isUnicode: false).contains("loss nan  ? left  inf"))
  }

  @Test(arguments: [
    (0, "0"), (1.23456, "1.235"), (-1.23456, "-1.235"), (12.3456, "12.35"), (1234.56, "1235"), (0.0123456, "0.01235"),
    (9.9999, "10.00"), (0.00099996, "0.001000"), (9.9994, "9.999"), (1e-7, "1e-07"), (1e20, "1e+20"), (.nan, "nan"),
  ])
  func significantDigits(value: Double, text: String) {
    #expect(significant(value, digits: 4) == text)
  }

  @Test(arguments: [(0, "0"), (999, "999"), (999.6, "1.00k"), (12_345, "12.3k"), (2.5e6, "2.50M"), (3.2, "3.20")])
  func suffixes(value: Double, text: String) {
    #expect(scaled(value, ["", "k", "M", "G"]) == text)
  }

  @Test(arguments: [
    (0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (754, "12:34"), (10_921, "3:02:01"), (183_720, "2d 03:02"),
    (-5, "0:00"),
  ])
  func durations(seconds: Double, text: String) {
    #expect(duration(seconds) == text)
  }

  private final class Clock {
    var seconds = 0.0
  }

  /// Collects what a display writes into a file, with a clock that the test moves.
  private func output(_ style: ProgressDisplay.Style, _ body: (ProgressDisplay, Clock) throws -> Void) throws
    -> String
  {
    try withFolder { folder in
      let path = "\(folder)/out"
      let descriptor = open(path, O_WRONLY | O_CREAT, 0o644)
      defer { close(descriptor) }
      let clock = Clock()
      let display = ProgressDisplay(title: "sft", style: style, output: descriptor, now: { clock.seconds })
      try body(display, clock)
      display.finish()
      return try readText(path)
    }
  }

  @Test func writesPlainLinesWhereThereIsNoTerminal() throws {
    let text = try output(.automatic) { display, clock in
      for step in 1...100 {
        clock.seconds += 0.1
        display.update(ProgressReport(step: step, total: 100, figures: [Figure("loss", 2)]))
        if step == 60 { display.message("saved") }
      }
    }
    #expect(
      text == "sft  1/100  loss 2.000\nsft  51/100  loss 2.000\nsaved\nsft  100/100  loss 2.000\n"
        || text == "sft  1/100  loss 2.000\nsft  52/100  loss 2.000\nsaved\nsft  100/100  loss 2.000\n", "\(text)")
    #expect(!text.contains("\u{1B}") && !text.contains("\r"))
  }

  @Test func finishShowsWhatWasHeldBack() throws {
    let text = try output(.lines) { display, _ in
      for step in 1...3 { display.update(ProgressReport(step: step, total: 100)) }
    }
    #expect(text == "sft  1/100\nsft  3/100\n")
  }

  @Test func writesJSONLines() throws {
    let text = try output(.json) { display, _ in
      let report = StepReport([Metric("loss", 1.5), Metric("tokens_per_second", 12_345)])
      display.show(
        .step(RunStep(progress: RunProgress(done: 840, of: 2000), report: report, memory: 1, secondsLeft: 83)))
      display.message("saved \"x\"")
      display.show(.evaluated(step: 841, [Metric("validation_loss", .nan)]))
      display.show(.warning("step 842 skipped"))
    }
    let lines = try text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    #expect(lines.count == 4)
    #expect(
      lines[0] == ["step": 840, "total": 2000, "seconds_left": 83.0, "loss": 1.5, "tokens_per_second": 12345.0])
    #expect(lines[1] == ["message": "saved \"x\""])
    #expect(lines[2]["validation_loss"] == .null)
    #expect(lines[3] == ["warning": "step 842 skipped"])
  }

  /// The rate of several steps is their work over their time, not the mean of their rates.
  @Test func ratesAreThoseOfTheLastSteps() throws {
    let text = try output(.lines) { display, clock in
      for (step, rate) in ([100, 300] as [Double]).enumerated() {
        clock.seconds += 10
        let report = StepReport([], figures: [Figure("tok/s", rate, isRate: true)])
        display.show(
          .step(RunStep(progress: RunProgress(done: step + 1, of: 9), report: report, memory: 1, secondsLeft: nil)))
      }
    }
    #expect(text.hasSuffix("sft  2/9  150 tok/s  1 B\n"), "\(text)")
  }

  /// A step, an evaluation or a sample that takes long is told of while it does.
  @Test func timeThatPassesIsShown() throws {
    let text = try output(.lines) { display, clock in
      display.begin(.step(RunProgress(done: 0, of: 5000)))
      for _ in 0..<4 {
        clock.seconds += 3
        display.tick()
      }
      display.update(ProgressReport(step: 1, total: 5000))
      display.begin(.evaluating)
      // First what was held back.
      for _ in 0..<3 {
        clock.seconds += 6
        display.tick()
      }
    }
    let first = "sft  step 1 of 5,000, the first step"
    #expect(
      text == "\(first) (0:06)\n\(first) (0:12)\nsft  1/5000\nsft  evaluating (0:12)\nsft  evaluating (0:18)\n",
      "\(text)")
  }

  @Test func silenceIsSilent() throws {
    #expect(
      try output(.silent) { display, _ in
        display.update(full)
        display.message("x")
      } == "")
  }

  /// On a real (pseudo) terminal of 50 columns: redraws in place, never wider than the window, ends on a fresh line.
  @Test func drawsABarOnATerminal() throws {
    let (master, terminal) = try openPseudoTerminal()
    defer { close(master) }
    var size = winsize(ws_row: 24, ws_col: 50, ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0)

    let display = ProgressDisplay(title: "sft", style: .bar, output: terminal, now: { 0 })
    display.update(full)
    display.update(ProgressReport(step: 841, total: 2000))  // too soon after the first
    display.message("saved")
    display.finish()
    close(terminal)

    // The other end is closed: reading ends with an error once everything is read.
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while case let count = read(master, &piece, piece.count), count > 0 { bytes += piece[..<count] }
    let text = String(decoding: bytes, as: UTF8.self)
    let rows = text.replacing("\u{1B}[K", with: "").split(whereSeparator: \.isNewline)
    #expect(rows.allSatisfy { $0.count <= 49 }, "\(rows)")
    #expect(text.hasPrefix("\rsft 42%") && text.contains("\r\u{1B}[Ksaved\r\n") && text.hasSuffix("\r\n"), "\(text)")
    #expect(text.contains("841/2000"))
  }
}

/// A pair of ends of a new pseudo terminal. Glibc hides `posix_openpt` from Swift, so this is what it does.
private func openPseudoTerminal() throws -> (master: Int32, terminal: Int32) {
  let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
  var unlocked: Int32 = 0
  var number: Int32 = 0
  let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)  // TIOCSPTLCK, TIOCGPTN
  try #require(master >= 0)
  try #require(ioctl(master, setLock, &unlocked) == 0)
  try #require(ioctl(master, getNumber, &number) == 0)
  let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
  try #require(terminal >= 0)
  return (master, terminal)
}
