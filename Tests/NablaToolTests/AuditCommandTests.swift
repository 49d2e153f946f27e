import Foundation
import Nabla
import Testing

extension ToolTests {
  @Suite struct AuditCommand {
    static let model =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../Fixtures/text/models/smollm.json"
    static let template =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    static let row = #"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}"#

    private func audit(_ rows: String, template: String = template, _ flags: [String] = []) throws -> Tool.Result {
      try withFolder { folder in
        try write(Array(rows.utf8), to: folder + "/rows.jsonl")
        try write(Array(template.utf8), to: folder + "/chat.jinja")
        return try Tool.run(
          ["audit", folder + "/rows.jsonl", "--model", Self.model, "--chat-template", folder + "/chat.jinja"] + flags)
      }
    }

    @Test func soundDataIsShown() throws {
      let result = try audit(Self.row)
      #expect(result.status == 0, "\(result.summary)")
      #expect(result.output.contains("  masked  | <|im_start|>user\n  masked  | Hi<|im_end|>\n"), "\(result.output)")
      #expect(result.output.contains("  learned | Yo<|im_end|>\n") && !result.output.contains("\u{1B}"))
      let json = try JSONValue(parsing: try audit(Self.row, ["--json", "--max-length", "100"]).output)
      #expect(json["sound"] == true && json["max_length"] == 100 && json["examples"] == 1)
    }

    @Test func whatWouldTrainWrongIsRefused() throws {
      let asked = #"{"messages": [{"role": "user", "content": "Hi"}]}"#
      let result = try audit(Self.row + "\n" + asked)
      #expect(result.status == 1 && result.output.contains("error: nothing to learn (1): "), "\(result.summary)")
      #expect(result.output.contains("rows.jsonl, line 2\n"))
      let dropped = try audit(Self.row, template: "{{ messages[0].content }}<|im_end|>", ["--json"])
      #expect(dropped.status == 1 && dropped.errors.contains("see the findings"), "\(dropped.summary)")
      #expect(try JSONValue(parsing: dropped.output)["sound"] == false)
    }

    @Test(arguments: [
      ("", "rows.jsonl: the file is empty: it has no rows"),
      (#"{"chosen": "a", "reject": "b"}"#, "rows.jsonl, line 1, column \"rejected\": missing; the nearest name"),
      (row + "\n{", "rows.jsonl, line 2: invalid JSON at byte 1 of the line"),
    ])
    func badRowsAreNamed(rows: String, message: String) throws {
      let result = try audit(rows)
      #expect(result.status == 1 && result.errors.contains(message), "\(result.summary)")
    }

    @Test func wrongUsage() throws {
      #expect(try audit(Self.row, ["--max-length", "1"]).status == 64)
      #expect(try audit(Self.row, ["--truncation", "middle"]).status == 64)
      #expect(try Tool.run(["audit", "--model", Self.model]).status == 64)
    }
  }
}
