import NablaFormats

extension Reward {
  /// A shell command as judge: it is run once per completion, reads a JSON object from its standard input (`prompt`,
  /// `completion` and the row's fields) and prints one number.
  ///
  /// - Parameters:
  ///   - command: run by /bin/sh.
  ///   - timeLimit: seconds; a judge that takes longer is killed with everything it started.
  ///   - outputLimit: bytes; a judge that prints more is killed too.
  ///   - concurrency: how many run at once.
  /// - Throws on use: `RewardError` if the command fails, times out, prints more than `outputLimit` bytes, or prints no
  ///   number.
  public static func command(
    _ command: String, timeLimit: Double = 30, outputLimit: Int = 65_536, concurrency: Int = 4
  ) -> Reward {
    let judge = BoundedCommand(
      command: command, timeLimit: timeLimit, outputLimit: outputLimit, concurrency: concurrency)
    return Reward(batch: "command") { samples in
      let outcomes = judge.run(samples.map { Array(input(of: $0).utf8) })
      return try zip(samples, outcomes).map { sample, outcome in
        try sample.locating { try value(of: outcome, by: judge) }
      }
    }
  }

  private static func value(of outcome: BoundedCommand.Outcome, by judge: BoundedCommand) throws(RewardError) -> Double
  {
    func failure(_ problem: String) -> RewardError { .command(judge.command, problem: problem) }
    switch outcome {
    case .finished(let output, _, status: 0):
      let text = trimmed(String(decoding: output, as: UTF8.self))
      guard let value = Double(text) else { throw failure("no number in its output \"\(text.prefix(80))\"") }
      return value
    case .finished(_, let errors, let status):
      let last = String(decoding: errors, as: UTF8.self).split(whereSeparator: \.isNewline).last
      throw failure("exit status \(status)\(last.map { ": \($0.prefix(200))" } ?? "")")
    case .signaled(let signal): throw failure("ended by signal \(signal)")
    case .timedOut: throw failure("no answer within \(judge.timeLimit) seconds; it was stopped")
    case .flooded: throw failure("more than \(judge.outputLimit) bytes of output; it was stopped")
    case .unstartable(let problem): throw failure("cannot be started: \(problem)")
    }
  }

  private static func input(of sample: RewardSample) -> String {
    var object = sample.row
    object["prompt"] = .string(sample.prompt)
    object["completion"] = .string(sample.completion)
    return JSONValue.object(object).serialized() + "\n"
  }
}

private func trimmed(_ text: String) -> String {
  let start = text.drop(while: \.isWhitespace)
  return String(start.reversed().drop(while: \.isWhitespace).reversed())
}
