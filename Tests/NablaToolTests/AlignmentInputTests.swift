import Foundation
import Nabla
import Testing

extension ToolTests {
  /// What people get wrong in rows, models and rewards: each is named, with file and line where there is one.
  @Suite struct AlignmentInput {
    static let pair = #"{"prompt": "a?", "chosen": "yes", "rejected": "no"}"#
    static let chat = #"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}"#
    static let long = String(repeating: "long ", count: 20)
    static let keepsAll = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"

    struct Input: CustomTestStringConvertible {
      var name: String
      /// The command, with the shape that its other rows have.
      var command: String
      /// Added to sound rows, as the ninth line.
      var row: String?
      var flags: [String] = []
      var template = keepsAll
      var status: Int32 = 1
      var messages: [String]
      var testDescription: String { "\(command): \(name)" }
    }

    static let inputs = [
      Input(
        name: "a column is missing", command: "sft", row: #"{"prompt": "a"}"#,
        messages: ["rows.jsonl, line 9", "completion"]),
      Input(
        name: "a column is misspelled", command: "dpo", row: #"{"prompt": "a", "chosen": "b", "rejectd": "c"}"#,
        messages: ["rows.jsonl, line 9", "\"rejected\"", "rejectd"]),
      Input(
        name: "an empty completion", command: "sft", row: #"{"prompt": "a", "completion": ""}"#, status: 0,
        messages: ["warning: empty completion (1)", "rows.jsonl, line 9"]),
      Input(
        name: "an empty completion", command: "dpo", row: #"{"prompt": "a", "chosen": "", "rejected": "c"}"#, status: 0,
        messages: ["warning: empty completion (1)", "rows.jsonl, line 9"]),
      Input(
        name: "equal completions", command: "dpo", row: #"{"prompt": "a", "chosen": "b", "rejected": "b"}"#, status: 0,
        messages: ["warning: chosen equal to rejected (1)", "rows.jsonl, line 9"]),
      Input(
        name: "a prompt longer than the maximum", command: "sft",
        row: #"{"prompt": "\#(long)", "completion": "b"}"#, status: 0,
        messages: ["warning: 1 row is dropped: longer than the maximum length of 24 tokens"]),
      Input(
        name: "a prompt longer than the maximum", command: "reward",
        row: #"{"prompt": "\#(long)", "chosen": "b", "rejected": "c"}"#, status: 0,
        messages: ["warning: 1 row is dropped: longer than the maximum length of 24 tokens"]),
      Input(
        name: "a prompt that leaves no room", command: "grpo", row: #"{"prompt": "\#(long)", "answer": "1"}"#,
        messages: ["rows.jsonl, line 9: the prompt has 100 tokens"]),
      Input(
        name: "an end that is never learned", command: "sft", row: chat,
        template: "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        messages: ["end not learned (1)", "rows.jsonl, line 9"]),
      Input(
        name: "a template that drops a role", command: "sft",
        row: #"{"messages": [{"role": "system", "content": "Be kind"}, "# + chat.dropFirst(14),
        template:
          "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
        messages: ["message left out (1)", "rows.jsonl, line 9"]),
      Input(
        name: "a row without an answer", command: "grpo", row: #"{"prompt": "a"}"#,
        flags: ["--reward", "numeric", "--prompts", "9"],
        messages: ["rows.jsonl, line 9: reward numeric: the row has no text in \"answer\""]),
      Input(
        name: "a reward that is NaN", command: "grpo", row: nil, flags: ["--reward", "command:echo nan"],
        messages: ["rows.jsonl, line ", "nan is not a finite number"]),
      Input(
        name: "a judge that fails", command: "rlhf", row: nil, flags: ["--reward", "command:echo broken >&2; exit 3"],
        messages: ["rows.jsonl, line ", "exit status 3: broken"]),
      Input(
        name: "a judge that floods", command: "grpo", row: nil, flags: ["--reward", "command:yes"],
        messages: ["rows.jsonl, line ", "more than 65536 bytes of output; it was stopped"]),
    ]

    @Test(arguments: inputs) func isNamed(_ input: Input) throws {
      try Self.withModel { folder, model in
        let sound =
          switch input.command {
          case "dpo", "reward": Self.pair
          case "grpo", "rlhf": #"{"prompt": "a", "answer": "1"}"#
          default: input.row == nil || input.row!.contains("messages") ? "" : #"{"prompt": "a", "completion": "b"}"#
          }
        // Chats alone, since all rows have one shape; blank lines keep the number of the last.
        let rows = [String](repeating: sound, count: 8) + [input.row].compactMap { $0 }
        try write(Array(rows.joined(separator: "\n").utf8), to: folder + "/rows.jsonl")
        try write(Array(input.template.utf8), to: folder + "/chat.jinja")
        var command = [
          input.command, model, "--data", folder + "/rows.jsonl", "--output", folder + "/run", "--steps", "1",
          "--adapter", "none", "--precision", "float32", "--held-out-fraction", "0", "--chat-template",
          folder + "/chat.jinja",
        ]
        switch input.command {
        case "grpo", "rlhf": command += ["--max-new-tokens", "4"]
        default: command += ["--max-length", "24", "--batch-size", "2"]
        }
        if input.command == "grpo" { command += ["--group-size", "2"] }
        if input.flags.isEmpty, ["grpo", "rlhf"].contains(input.command) { command += ["--reward", "json"] }
        let result = try Tool.run(command + input.flags)
        #expect(result.status == input.status, "\(result.summary)")
        for message in input.messages { #expect(result.errors.contains(message), "\(message)\n\(result.summary)") }
      }
    }

    /// Shapes that differ are an error, a base of another name a note.
    @Test func anAdapterForAnotherBase() throws {
      try Self.withModel { folder, model in
        try write(Array(Self.pair.utf8), to: folder + "/rows.jsonl")
        let trained = try Tool.run([
          "dpo", model, "--data", folder + "/rows.jsonl", "--output", folder + "/run", "--steps", "1", "--max-length",
          "24", "--held-out-fraction", "0", "--precision", "float32",
        ])
        #expect(trained.status == 0, "\(trained.summary)")
        try Tool.train(folder + "/text.txt", output: folder + "/wide", ["--steps", "1", "--width", "32"])
        let wide = try Tool.run(["generate", folder + "/wide", "--adapter", folder + "/run", "--prompt", "a"])
        #expect(wide.status == 1 && wide.errors.contains("its adapter is [16, 16]"), "\(wide.summary)")
        try Tool.train(folder + "/text.txt", output: folder + "/other", ["--steps", "1"])
        let other = try Tool.run(["generate", folder + "/other", "--adapter", folder + "/run", "--prompt", "a"])
        #expect(
          other.status == 0 && other.errors.contains("note: ") && other.errors.contains(model), "\(other.summary)")
      }
    }

    /// Runs `body` with a model of bytes.
    private static func withModel(_ body: (_ folder: String, _ model: String) throws -> Void) throws {
      try withFolder { folder in
        try Tool.train(folder + "/text.txt", output: folder + "/base", ["--steps", "1", "--context", "64"])
        try body(folder, folder + "/base")
      }
    }
  }
}
