import NablaAlignment
import NablaFormats
import Testing

@Suite struct RewardTests {
  private func sample(_ completion: String, answer: JSONValue? = nil, tokens: Int = 10) -> RewardSample {
    var row = JSONObject()
    if let answer { row["answer"] = answer }
    return RewardSample(prompt: "How many?", completion: completion, tokenCount: tokens, row: row)
  }

  private func value(_ reward: Reward, _ sample: RewardSample) throws -> Double { try reward.evaluate([sample])[0] }

  @Test(
    "numeric answers",
    arguments: [
      ("6 · 12 is\n#### 72", "It is 72.", 1.0), ("#### 72", "#### 72", 1), ("#### 72", "72 apples, #### 71", 0),
      ("#### 1,000", "so 1000", 1), ("#### 1000", "about 1,000.", 1), ("#### -3", "x = -3", 1), ("#### 3", "x = -3", 0),
      ("#### 3", "10-3", 1), ("#### 2.5", "It costs $2.50", 1), ("#### -2.5", "-$2.50", 1), ("#### 5", "none", 0),
      ("#### 5", "", 0), ("#### 12", "1,2", 0), ("7", "7 #### ", 0), ("#### 18", "#### 17\n#### 18", 1),
      ("#### 70000", "70,000", 1), ("#### 1500", "1.5e3 m", 1), ("0.00001", "about 1e-05.", 1), ("#### 5", "1e-5", 0),
      ("-2E+3", "x = -2000", 1), ("#### 2", "so 2e", 1), ("#### 3", "3e4th", 0), ("#### 4", "3e4th", 1),
    ])
  func numeric(_ answer: String, _ completion: String, _ expected: Double) throws {
    #expect(try value(.numericAnswer(), sample(completion, answer: .string(answer))) == expected)
  }

  @Test func numericFields() throws {
    #expect(try value(.numericAnswer(), sample("4", answer: 4)) == 1)
    // JSON numbers are not read as text, which would be 1e-05 and 1e+16.
    let cases = [(0.00001, "0.00001", "5"), (1e16, "10000000000000000", "16"), (-2.5, "-2.5", "2.5")]
    for (answer, right, wrong) in cases {
      #expect(try value(.numericAnswer(), sample(right, answer: .number(answer))) == 1)
      #expect(try value(.numericAnswer(), sample(wrong, answer: .number(answer))) == 0)
    }
    #expect(try value(.numericAnswer(requiringMark: true), sample("4", answer: 4)) == 0)
    #expect(throws: RewardError.missingField(reward: "numeric", field: "solution", fields: ["answer"])) {
      try value(.numericAnswer(field: "solution"), sample("4", answer: 4))
    }
    #expect(throws: RewardError.unreadableAnswer(reward: "numeric", answer: "many")) {
      try value(.numericAnswer(), sample("4", answer: "many"))
    }
  }

  @Test(
    "format",
    arguments: [
      ("<think>a</think><answer>b</answer>", 1.0), (" <think>\na\n</think>\n\n<answer>b</answer>\n", 1),
      ("<answer>b</answer><think>a</think>", 0), ("<think>a</think><answer>b", 0), ("<think>a</think>", 0), ("", 0),
      ("<think>a</think> so <answer>b</answer>", 0), ("<think>a</think><answer>b</answer>!", 0),
      ("<think>a<think></think><answer>b</answer>", 0), ("<think></think><answer></answer>", 1),
    ])
  func format(_ completion: String, _ expected: Double) throws {
    #expect(try value(.format(), sample(completion)) == expected)
  }

  @Test func lengths() throws {
    let reward = Reward.length(10...20, tolerance: 5)
    for (tokens, expected) in [(10, 1.0), (20, 1), (15, 1), (9, 0.8), (5, 0), (1, 0), (22, 0.6), (25, 0), (99, 0)] {
      #expect(abs(try value(reward, sample("", tokens: tokens)) - expected) < 1e-12)
    }
    #expect(try value(.length(10...20), sample("", tokens: 21)) == 0)
  }

  @Test func patterns() throws {
    let reward = try Reward.regularExpression(#"^The answer is \d+\.$"#)
    #expect(try reward.evaluate([sample("The answer is 12."), sample("12")]) == [1, 0])
    #expect(throws: RewardError.self) { try Reward.regularExpression("(") }
  }

  @Test(arguments: [("{\"a\": [1, 2]}", 1.0), ("[]\n", 1), ("3", 0), ("{\"a\": }", 0), ("{} {}", 0), ("", 0)])
  func json(_ completion: String, _ expected: Double) throws {
    #expect(try value(.validJSON(), sample(completion)) == expected)
  }

  @Test func weights() throws {
    let (length, json) = (Reward("tokens") { Double($0.tokenCount) }, Reward.validJSON())
    let result = try WeightedRewards([length, json], weights: [0.5, 2]).evaluate([
      sample("{}", tokens: 4), sample("no", tokens: 6),
    ])
    #expect(result.totals == [4, 3] && result.byFunction == [[4, 6], [1, 0]])
    #expect(throws: RewardError.self) {
      try WeightedRewards([Reward("bad") { _ in .nan }]).evaluate([sample("x")])
    }
    #expect(throws: RewardError.count(reward: "few", got: 0, expected: 1)) {
      try WeightedRewards([Reward(batch: "few") { _ in [] }]).evaluate([sample("x")])
    }
    struct Refusal: Error {}
    #expect(throws: Refusal.self) {
      try WeightedRewards([Reward("throwing") { _ in throw Refusal() }]).evaluate([sample("x")])
    }
  }

  @Test func names() throws {
    #expect(
      try value(
        Reward(parsing: "numeric:result"),
        RewardSample(
          prompt: "", completion: "7", tokenCount: 1, row: JSONObject([("result", "7")]))) == 1)
    #expect(try value(Reward(parsing: "format:a"), sample("<a>1</a>")) == 1)
    #expect(try value(Reward(parsing: "length:2-4~2"), sample("", tokens: 5)) == 0.5)
    #expect(try value(Reward(parsing: "regex:a:b"), sample("xa:by")) == 1)
    #expect(throws: RewardError.unknown("numric", nearest: "numeric")) { try Reward(parsing: "numric") }
    for bad in [
      "length", "length:", "length:5", "length:9-3", "length:1-2~x", "regex", "command:", "format:a b", "regex:(",
    ] {
      #expect(throws: RewardError.self, "\(bad)") { try Reward(parsing: bad) }
    }
  }
}

@Suite struct CommandJudgeTests {
  private func sample(_ completion: String) -> RewardSample {
    RewardSample(prompt: "p\"q", completion: completion, tokenCount: 3, row: JSONObject([("answer", "42")]))
  }

  private func problem(_ command: String, timeLimit: Double = 10, outputLimit: Int = 1000) -> String {
    do {
      let values = try Reward.command(command, timeLimit: timeLimit, outputLimit: outputLimit).evaluate([sample("c")])
      return "\(values)"
    } catch RewardError.command(_, let problem) {
      return problem
    } catch {
      return "another error: \(error)"
    }
  }

  @Test func readsJSONAndPrintsANumber() throws {
    // The judge sees the completion, the prompt and the row: it counts bytes of what it reads.
    let expected = #"{"answer":"42","prompt":"p\"q","completion":"héllo"}"# + "\n"
    let reward = Reward.command("wc -c")
    #expect(try reward.evaluate([sample("héllo")]) == [Double(expected.utf8.count)])
    #expect(try Reward.command("echo '  -1.5 '; echo noise >&2").evaluate([sample("c")]) == [-1.5])
  }

  @Test func manyAtOnceKeepTheirOrder() throws {
    let samples = (0..<24).map { sample(String(repeating: "x", count: $0)) }
    let base = try Reward.command("wc -c").evaluate([sample("")])[0]
    #expect(try Reward.command("wc -c", concurrency: 5).evaluate(samples) == (0..<24).map { base + Double($0) })
  }

  @Test func failuresSaySo() {
    #expect(problem("echo wrong >&2; exit 3") == "exit status 3: wrong")
    #expect(problem("echo good") == #"no number in its output "good""#)
    #expect(problem("true") == #"no number in its output """#)
    #expect(problem("kill -9 $$") == "ended by signal 9")
    #expect(problem("exec 1>&-; echo 1").hasPrefix("exit status"))
  }

  @Test(.timeLimit(.minutes(1))) func cannotHang() {
    #expect(problem("sleep 600", timeLimit: 0.2) == "no answer within 0.2 seconds; it was stopped")
    // What it leaves behind is stopped too, and does not keep the pipe.
    #expect(problem("sleep 600 & echo 2") == "[2.0]")
    #expect(problem("trap '' TERM INT HUP; while :; do :; done", timeLimit: 0.2).hasPrefix("no answer"))
    // It closes its output and goes on.
    #expect(problem("exec 1>&- 2>&-; sleep 600", timeLimit: 0.2).hasPrefix("no answer"))
    // Two at a time, each with its own limit.
    #expect(throws: RewardError.self) {
      try Reward.command("sleep 600", timeLimit: 0.2, concurrency: 2).evaluate([sample("a"), sample("b"), sample("c")])
    }
  }

  @Test(.timeLimit(.minutes(1))) func cannotFlood() {
    #expect(problem("yes") == "more than 1000 bytes of output; it was stopped")
    #expect(problem("yes >&2", timeLimit: 0.3).hasPrefix("no answer"))
    #expect(problem("head -c 1000 /dev/zero | tr '\\0' ' '; echo") == "more than 1000 bytes of output; it was stopped")
    // A large input that nobody reads.
    let reward = Reward.command("echo 1")
    #expect(throws: Never.self) { try reward.evaluate([sample(String(repeating: "y", count: 3_000_000))]) }
  }

  @Test func groupIsKilled() throws {
    // The marker's grandchild would write a second later; nobody lives to do so.
    let marker = "/tmp/nabla-judge-\(UInt64.random(in: 0..<UInt64.max))"
    #expect(problem("(sleep 0.5; touch \(marker)) & sleep 600", timeLimit: 0.1).hasPrefix("no answer"))
    #expect(try Reward.command("sleep 1; test -e \(marker) && echo 1 || echo 0").evaluate([sample("c")]) == [0])
  }
}
