import ArgumentParser
import Nabla

struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a language model from text.",
    usage: "nabla pretrain <file-or-folder> ... [options]\nnabla pretrain --resume <run>",
    discussion: """
      Reads UTF-8 files, and folders of them, and trains a transformer to predict their next tokens. The run folder \
      gets the configuration, metrics, checkpoints, samples, a report to open in a browser, and at the end the model \
      as a Hugging Face folder.

      Presets:
      \(Preset.all.map { "  " + $0.name + String(repeating: " ", count: max(1, 18 - $0.name.count)) + $0.summary }
        .joined(separator: "\n"))

      Ctrl-C (or SIGTERM) finishes the step, saves, says how to go on, and exits 0; a second one exits at once. \
      Defaults below are those of the preset tiny, and of the others where they differ.
      """)

  @Argument(help: "Files and folders of text.", completion: .file())
  var files: [String] = []
  @OptionGroup var options: PretrainOptions

  func validate() throws {
    if options.resume == nil {
      if files.isEmpty { throw ValidationError("give files or folders of text to train on") }
      _ = try options.applied()
    }
  }

  func run() throws {
    options.compute.apply()
    let progress = ProgressDisplay(title: "pretrain", style: options.json ? .json : .automatic)
    StopSignal.install()
    let pretraining: Pretraining
    if let resume = options.resume {
      pretraining = try Pretraining(
        resuming: resume, paths: files, allowsOtherData: options.allowOtherData, message: progress.message)
      progress.message("resuming \(resume) after step \(pretraining.step) of \(pretraining.totalSteps)")
    } else {
      let (tokenizer, model, training) = try options.applied()
      pretraining = try Pretraining(
        paths: files, tokenizer: tokenizer, model: model, training: training, output: options.output,
        message: progress.message)
    }
    describe(pretraining, progress)
    let outcome: Pretraining.Outcome
    do {
      outcome = try pretraining.train(progress: progress, stopAfter: options.training.stopAfter) { step, text in
        progress.message("--- sample at step \(step) ---\n\(printable(text))\n---")
      }
    } catch {
      progress.finish()
      try explain(error, pretraining)
    }
    conclude(outcome, pretraining, progress)
  }

  private func describe(_ pretraining: Pretraining, _ progress: ProgressDisplay) {
    let c = pretraining.setup.model
    progress.message("corpus: \(pretraining.corpusSummary)")
    progress.message(
      "model: \(grouped(pretraining.model.parameterCount)) parameters, \(c.layerCount) layers, width \(c.width), "
        + "\(c.headCount) heads, context \(c.context), vocabulary \(c.vocabularySize)")
    progress.message(
      "machine: \(Threads.count) \(Threads.count == 1 ? "thread" : "threads"), \(InstructionSet.ofOneDNN), products in \(pretraining.model.computeType)"
    )
    progress.message("run: \(pretraining.run.path)")
  }

  private func conclude(_ outcome: Pretraining.Outcome, _ pretraining: Pretraining, _ progress: ProgressDisplay) {
    let path = pretraining.run.path
    let losses = pretraining.losses
    if progress.isUnicode, losses.count > 1, let first = losses.first, let last = losses.last {
      progress.message(
        "loss: \(significant(first, digits: 3)) \(sparkline(losses, width: 48)) \(significant(last, digits: 3))")
    }
    switch outcome {
    case .stopped(let step):
      progress.message(
        "stopped and saved after step \(step) of \(pretraining.totalSteps); go on with:\n"
          + "  \(toolName) pretrain --resume \(shellQuoted(path))")
    case .finished:
      if let validation = pretraining.validation {
        progress.message(
          "validation: loss \(rounded(validation.loss)) nats per token, perplexity \(rounded(validation.perplexity)), "
            + "\(rounded(validation.bitsPerByte)) bits per byte")
      }
      progress.message(
        """
        model:  \(path)/model
        report: \(path)/report.html (open it in a browser)
        next:   \(toolName) generate \(shellQuoted(path)) --prompt "The "
        """)
    }
  }

  /// Passes the error on with what remains of the run; a new run that has nothing yet is removed.
  private func explain(_ error: any Error, _ pretraining: Pretraining) throws -> Never {
    let path = pretraining.run.path
    if let saved = try CheckpointStore.newestValid(in: pretraining.run.checkpointsPath).checkpoint {
      throw TrainingFailure(
        description: "\(error)\nThe checkpoint of step \(saved.step) is good; go on from it with:\n"
          + "  \(toolName) pretrain --resume \(shellQuoted(path))")
    }
    if options.resume == nil, pretraining.step == 0 { try? removeTree(path) }
    throw error
  }
}

/// Why training ended early, and how to go on.
struct TrainingFailure: Error, CustomStringConvertible {
  let description: String
}

/// The text without control characters: a model that has not learned much may write any, and a terminal obeys them.
func printable(_ text: String) -> String {
  String(
    String.UnicodeScalarView(
      text.unicodeScalars.map { scalar in
        scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control ? scalar : "\u{FFFD}"
      }))
}

/// This program as the user called it, for commands to copy.
let toolName = shellQuoted(CommandLine.arguments.first ?? "nabla")

/// The text as one word of a shell command.
func shellQuoted(_ text: String) -> String {
  let isPlain = text.utf8.allSatisfy { byte in
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
      || "/._-+,:@%=".utf8.contains(byte)
  }
  return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
}

/// Four significant digits.
func rounded(_ value: Double) -> String { significant(value, digits: 4) }
