import ArgumentParser
import Nabla

/// Shows a run on the terminal, stops it on a signal, and prints how to resume it.
final class RunDisplay {
  let progress: ProgressDisplay
  private let options: RunOptions
  /// The first figure of each step: a loss, a return.
  private var curve: [Double] = []
  private var curveName = "loss"
  private var stepCount = 0
  private var firstStep: Double?
  private var isEstimated = false

  init(_ title: String, _ options: RunOptions) {
    self.options = options
    progress = ProgressDisplay(title: title, style: options.json ? .json : .automatic)
    StopSignal.install()
  }

  func message(_ text: String) { progress.message(text) }

  /// Trains until the end, a signal, or `--stop-after`.
  ///
  /// - Parameters:
  ///   - command: The command that resumes such a run: "pretrain", "rl train".
  /// - Returns: Whether training is finished.
  func train<T: Trainer>(_ run: TrainingRun<T>, command: String) throws -> Bool {
    if run.trainer.progress.isFinished {
      let further = command == "pretrain" ? ": --steps trains further" : ""
      message("all \(grouped(run.trainer.progress.total)) \(run.trainer.progress.unit) are done\(further)")
    }
    let outcome: RunOutcome
    run.onActivity = progress.begin
    do {
      outcome = try run.train(until: .at(options.stopAfter, or: { StopSignal.isRequested }), observe: observe)
    } catch {
      progress.finish()
      try explain(error, run, command)
    }
    progress.finish()
    if progress.isUnicode, curve.count > 1, let first = curve.first, let last = curve.last {
      message("\(curveName): \(rounded(first)) \(sparkline(curve, width: 48)) \(rounded(last))")
    }
    guard case .stopped(let step) = outcome else { return true }
    if step == 0 {
      // A new run that has nothing yet would only be in the way.
      if options.resume == nil { try? removeTree(run.folder.path) }
      message("stopped before the end of the first step: nothing was trained or saved")
      return false
    }
    message(
      "stopped and saved after step \(step) of \(run.trainer.progress.total); continue with:\n  "
        + resume(command, run.folder.path))
    return false
  }

  func observe(_ event: RunEvent) {
    progress.show(event)
    if case .step(let step) = event { estimate(step) }
    if case .step(let step) = event, let figure = step.report.figures.first {
      (curveName, curve) = (figure.label, curve + [figure.value])
    }
  }

  /// Says once, from the first steps, how long all of it may take.
  private func estimate(_ step: RunStep) {
    stepCount += 1
    if firstStep == nil { firstStep = monotonicSeconds() }
    // The first step allocates what the others use again.
    guard !isEstimated, stepCount >= 4, let left = step.secondsLeft, monotonicSeconds() - firstStep! >= 1 else {
      return
    }
    isEstimated = true
    if left >= 10 { message("about \(duration(left)) left, by the first \(stepCount) steps, without evaluations") }
  }

  private func resume(_ command: String, _ path: String) -> String {
    "\(toolName) \(command) --resume \(shellQuoted(path))"
  }

  /// Rethrows the error with the state of the run; a new run that has nothing yet is removed.
  private func explain<T>(_ error: any Error, _ run: TrainingRun<T>, _ command: String) throws -> Never {
    let path = run.folder.path
    if let saved = try CheckpointStore.newestValid(in: run.folder.checkpointsPath).checkpoint {
      throw TrainingFailure(
        description: "\(described(error))\nThe checkpoint of step \(saved.step) is valid; continue from it with:\n  "
          + resume(command, path))
    }
    if options.resume == nil, run.trainer.progress.done == 0 { try? removeTree(path) }
    throw error
  }
}

/// A human-readable error, with settings as flags.
func described(_ error: any Error) -> String {
  (error as? any SettingError)?.message.namingFlags ?? "\(error)"
}

/// Why training ended early, and how to continue.
struct TrainingFailure: Error, CustomStringConvertible {
  let description: String
}

/// This program as the user called it, for commands to copy.
let toolName = shellQuoted(CommandLine.arguments.first ?? "nabla")

/// The text without control characters: an untrained model may generate any, and a terminal obeys them.
func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control ? scalar : "\u{FFFD}"
      }))
}

/// Four significant digits.
func rounded(_ value: Double) -> String { significant(value, digits: 4) }
