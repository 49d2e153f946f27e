import Foundation
import NablaFormats
import NablaText
import Testing

@Suite struct DatasetReadingTests {
  /// Reads rows that are written as the lines of a file.
  static func read(_ lines: [String]) throws -> Dataset {
    try Fixtures.withTemporaryFolder { folder in
      try Fixtures.write(Array(lines.joined(separator: "\n").utf8), to: folder + "/d.jsonl")
      return try Dataset.read([folder + "/d.jsonl"])
    }
  }

  static func user(_ text: String) -> ChatMessage { ChatMessage(role: "user", content: text) }
  static func assistant(_ text: String) -> ChatMessage { ChatMessage(role: "assistant", content: text) }
  static let ask = #"{"role": "user", "content": "Hi"}"#
  static let answer = #"{"role": "assistant", "content": "Yo"}"#

  static let shapes: [(row: String, content: DatasetExample.Content)] = [
    (#"{"text": "ab"}"#, .text("ab")),
    (#"{"messages": [\#(ask), \#(answer)]}"#, .messages([user("Hi"), assistant("Yo")])),
    (#"{"prompt": "a", "completion": "b"}"#, .completion(prompt: .plain("a"), completion: .plain("b"))),
    (
      #"{"prompt": [\#(ask)], "completion": [\#(answer)]}"#,
      .completion(prompt: .conversation([user("Hi")]), completion: .conversation([assistant("Yo")]))
    ),
    (
      #"{"prompt": [\#(ask)], "completion": "Yo"}"#,
      .completion(prompt: .conversation([user("Hi")]), completion: .conversation([assistant("Yo")]))
    ),
    (
      #"{"prompt": "a", "chosen": "b", "rejected": "c"}"#,
      .preference(prompt: .plain("a"), chosen: .plain("b"), rejected: .plain("c"))
    ),
    (
      #"{"chosen": [\#(ask), \#(answer)], "rejected": [\#(ask), {"role": "assistant", "content": "No"}]}"#,
      .preference(
        prompt: .conversation([user("Hi")]), chosen: .conversation([assistant("Yo")]),
        rejected: .conversation([assistant("No")]))
    ),
    (
      #"{"prompt": "Hi", "chosen": [\#(ask), \#(answer)], "rejected": [\#(ask), {"role": "assistant", "content": "No"}]}"#,
      .preference(
        prompt: .conversation([user("Hi")]), chosen: .conversation([assistant("Yo")]),
        rejected: .conversation([assistant("No")]))
    ),
    // One side goes on where the other ends: both keep a message.
    (
      #"{"chosen": [\#(ask), \#(answer)], "rejected": [\#(ask), \#(answer), \#(ask), \#(answer)]}"#,
      .preference(
        prompt: .conversation([user("Hi")]), chosen: .conversation([assistant("Yo")]),
        rejected: .conversation([assistant("Yo"), user("Hi"), assistant("Yo")]))
    ),
    // No word is cut: "ca" is common, too.
    (
      #"{"chosen": "I like cats", "rejected": "I like cars"}"#,
      .preference(prompt: .plain("I like"), chosen: .plain(" cats"), rejected: .plain(" cars"))
    ),
    (
      #"{"chosen": "é  x", "rejected": "é  yz"}"#,
      .preference(prompt: .plain("é"), chosen: .plain("  x"), rejected: .plain("  yz"))
    ),
    (#"{"prompt": "a"}"#, .prompt(.plain("a"))),
    (#"{"prompt": [\#(ask)], "answer": 3}"#, .prompt(.conversation([user("Hi")]))),
    (
      #"{"question": "1+1?", "answer": "It is 2.\n#### 2"}"#,
      .completion(
        prompt: .conversation([user("1+1?")]), completion: .conversation([assistant("It is 2.\n#### 2")]))
    ),
    (
      #"{"chosen": "\n\nHuman: a b\n\nc\n\nAssistant: d", "rejected": "\n\nHuman: a b\n\nc\n\nAssistant:  e "}"#,
      .preference(
        prompt: .conversation([user("a b\n\nc")]), chosen: .conversation([assistant("d")]),
        rejected: .conversation([assistant("e")]))
    ),
    (
      #"{"prompt": "\n\nHuman: a\n\nAssistant:", "chosen": " d", "rejected": " e"}"#,
      .preference(
        prompt: .conversation([user("a")]), chosen: .conversation([assistant(" d")]),
        rejected: .conversation([assistant(" e")]))
    ),
  ]

  @Test(arguments: shapes.indices)
  func everyShapeIsKnownByItsColumns(_ index: Int) throws {
    let (row, content) = Self.shapes[index]
    let dataset = try Self.read([row])
    #expect(dataset.count == 1 && dataset[0].content == content, "\(dataset.examples)")
  }

  @Test func furtherColumnsAreKept() throws {
    let dataset = try Self.read([
      #"{"id": 7, "prompt": "a", "answer": [1, null], "tools": "[{\"type\": \"function\"}]"}"#,
      #"{"question": "q", "answer": "x #### 1,200"}"#.replacingOccurrences(of: "question", with: "prompt"),
    ])
    #expect(JSONValue.object(dataset[0].columns) == ["id": 7, "answer": [1, nil]])
    #expect(dataset[0].tools == [["type": "function"]])
    let problem = try Self.read([#"{"question": "q", "answer": "x #### $1,200 "}"#])
    #expect(problem[0].columns["answer"] == "x #### $1,200 ")
    #expect(MathProblem.finalAnswer("x #### $1,200 ") == "1200")
    #expect(MathProblem.finalAnswer("#### 1\n#### -2.5") == "-2.5")
    #expect(MathProblem.finalAnswer("no mark") == nil && MathProblem.finalAnswer("#### ") == nil)
  }

  /// Rows, and the error's text after the folder.
  static let errors: [(rows: [String], message: String)] = [
    ([], "d.jsonl: the file is empty: it has no rows"),
    (["", "  "], "d.jsonl: the file is empty: it has no rows"),
    (["3"], "d.jsonl, line 1: expected a JSON object with the columns of one example"),
    (["{}"], "d.jsonl, line 1: the row has no columns"),
    ([#"[{"text": "a"},"#], "one JSON object per line (JSONL), not one array"),
    ([#"{"text": "a"}"#, "", #"{"text": "b""#], "d.jsonl, line 3: invalid JSON at byte 12 of the line: expected ','"),
    ([#"{"txt": "a"}"#], #"did you mean "text" instead of "txt"?"#),
    ([#"{"foo": "a", "bar": 1}"#], "d.jsonl, line 1: no known shape has the columns foo, bar; expected one of: prompt"),
    ([#"{"chosen": "a", "rejcted": "b"}"#], #"line 1, column "rejected": missing; the nearest name here is "rejcted""#),
    (
      [#"{"prompt": "a", "completion": "b"}"#, #"{"prompt": "a", "completoin": "b"}"#],
      #"line 2, column "completion": missing, while "#
    ),
    ([#"{"prompt": "a", "completion": "b"}"#, #"{"text": "a"}"#], #"line 2, column "prompt": missing, while "#),
    ([#"{"text": 3}"#], #"line 1, column "text": expected text, found a number"#),
    ([#"{"messages": "hi"}"#], #"line 1, column "messages": expected a list of messages, found text"#),
    ([#"{"messages": []}"#], #"line 1, column "messages": the list of messages is empty"#),
    ([#"{"messages": [\#(ask), {"content": "x"}]}"#], #"column "messages": message 2: expected a "role""#),
    (
      [#"{"prompt": "a", "completion": null}"#],
      #"column "completion": expected text or a list of messages, found null"#
    ),
    ([#"{"prompt": "a", "completion": [\#(answer)]}"#], #"column "completion": messages after a plain-text prompt"#),
    ([#"{"chosen": "a b", "rejected": "c d"}"#], #"column "rejected": it has no common prefix with "chosen""#),
    ([#"{"question": "a", "answer": "b"}"#], "column \"answer\": expected \"####\" and the final answer"),
    ([#"{"prompt": "a"}"#, #"{"prompt": [\#(ask)]}"#], #"line 2, column "prompt": messages, while "#),
    ([#"{"prompt": "a", "tools": 5}"#], #"column "tools": expected a list of functions"#),
  ]

  @Test(arguments: errors.indices)
  func errorsNameFileLineAndColumn(_ index: Int) throws {
    let (rows, message) = Self.errors[index]
    let error = #expect(throws: DatasetError.self) { try Self.read(rows) }
    #expect(error.map { "\($0)".contains(message) } == true, "\(error.map { "\($0)" } ?? "none")")
  }

  @Test func filesAreReadOneAfterTheOther() throws {
    try Fixtures.withTemporaryFolder { folder in
      try Fixtures.write(Array("\u{FEFF}{\"text\": \"a\"}\r\n\r\n{\"text\": \"b\"}\r\n".utf8), to: folder + "/1.jsonl")
      try Fixtures.write(Array("{\"text\": \"c\"}".utf8), to: folder + "/2.jsonl")
      let dataset = try Dataset.read([folder + "/1.jsonl", folder + "/2.jsonl"])
      #expect(dataset.map(\.content) == [.text("a"), .text("b"), .text("c")])
      #expect(dataset.map(\.place.line) == [1, 3, 1])
      #expect(dataset[2].place.description == "\(folder)/2.jsonl, line 1")
      #expect(throws: FileError.self) { try Dataset.read([folder + "/3.jsonl"]) }
    }
  }

  /// Any damage to rows is an error or a data set, never a trap.
  @Test func damagedRowsNeverTrap() throws {
    var random = SplitMix(seed: 3)
    let rows = Self.shapes.map(\.row)
    var outcomes = [0, 0]
    for _ in 0..<600 {
      var bytes = Array(rows.randomElement(using: &random)!.utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        bytes[at] = Array("{}[]\":,ab\\n3 ".utf8).randomElement(using: &random)!
      }
      do {
        _ = try Self.read([String(decoding: bytes, as: UTF8.self)])
        outcomes[0] += 1
      } catch { outcomes[1] += 1 }
    }
    #expect(outcomes[0] > 20 && outcomes[1] > 100)
  }

  @Test func heldOutExamplesAreDrawnOnceBySeed() throws {
    let dataset = try Self.read((0..<50).map { #"{"text": "\#($0)"}"# })
    let (training, heldOut) = dataset.split(heldOutFraction: 0.1, seed: 1)
    #expect(training.count == 45 && heldOut.count == 5)
    #expect((training.examples + heldOut.examples).map(\.place.line).sorted() == Array(1...50))
    #expect(training.map(\.place.line) == training.map(\.place.line).sorted())
    #expect(dataset.split(heldOutFraction: 0.1, seed: 1).heldOut.examples == heldOut.examples)
    #expect(dataset.split(heldOutFraction: 0.1, seed: 2).heldOut.examples != heldOut.examples)
    #expect(dataset.split(heldOutFraction: 0, seed: 1).training.count == 50)
    #expect(dataset.contentHash() != training.contentHash())
    #expect(dataset.contentHash() == (try Self.read((0..<50).map { #"{ "text":"\#($0)"}"# })).contentHash())
  }

  /// The hash is also of what rewards and margins are read from.
  @Test func columnsAreHashed() throws {
    let hashes = try [
      #""answer": "1""#, #""answer": "2""#, #""answer": 1"#, #""answer": "1", "margin": 2"#, #""b": 1"#,
    ]
    .map { try Self.read([#"{"prompt": "a", \#($0)}"#]).contentHash() }
    #expect(Set(hashes).count == hashes.count)
    #expect(try Self.read([#"{"answer": "1", "prompt": "a"}"#]).contentHash() == hashes[0])
  }

  @Test func everyEpochHasAllExamplesInAnOrderOfItsOwn() {
    let order = ShuffledOrder(count: 10, seed: 7)
    let epochs = (0..<3).map { epoch in (0..<10).map { order[epoch * 10 + $0] } }
    for epoch in epochs { #expect(epoch.sorted() == Array(0..<10)) }
    #expect(Set(epochs).count == 3)
  }
}

/// Data sets that people use, where they are at hand.
@Suite struct PublicDatasetTests {
  static let folder = Fixtures.package + "/../shared/data/"
  static let hasFiles = FileManager.default.fileExists(atPath: folder + "hh-harmless-test.jsonl.gz")

  @Test(.enabled(if: hasFiles, "needs ../shared/data/hh-harmless-test.jsonl.gz"))
  func transcriptsBecomePairs() throws {
    let dataset = try Dataset.read([Self.folder + "hh-harmless-test.jsonl.gz"])
    #expect(dataset.count == 2312 && dataset.shape == .preference && dataset.isConversational)
    var single = 0
    for example in dataset {
      guard
        case .preference(.conversation(let prompt), .conversation(let chosen), .conversation(let rejected)) = example
          .content
      else {
        Issue.record("\(example.place)")
        continue
      }
      #expect(prompt.first?.role == "user" && chosen.first?.role == "assistant" && rejected.first?.role == "assistant")
      if chosen.count == 1, rejected.count == 1 { single += 1 }
    }
    // Counted with a regular expression in Python: pairs that are the same up to the last turn, which is one answer.
    #expect(single == 2307)
  }

  @Test(.enabled(if: hasFiles, "needs ../shared/data/gsm8k-test.jsonl"))
  func problemsHaveAnswers() throws {
    let dataset = try Dataset.read([Self.folder + "gsm8k-test.jsonl"])
    #expect(dataset.count == 1319 && dataset.shape == .promptCompletion)
    let answers = dataset.compactMap { $0.columns["answer"]?.string.flatMap(MathProblem.finalAnswer) }
    #expect(answers.count == 1319 && answers.allSatisfy { Double($0) != nil })
    #expect(answers[0] == "18" && answers[2] == "70000")
  }
}
