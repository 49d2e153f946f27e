import Foundation
import Nabla
import Testing

extension ToolTests {
  @Suite struct TokenizeCommand {
    static let models =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../Fixtures/text/models/"

    @Test func printsIdsAndPieces() throws {
      let result = try Tool.run(["tokenize", Self.models + "llama2.json", "--text", "a b"])
      let lines = result.output.split(separator: "\n")
      #expect(result.status == 0 && lines.count > 2, "\(result.summary)")
      #expect(lines[0].hasSuffix("1  \"<s>\"") && lines[1].hasSuffix("\" a\""))
      let plain = try Tool.run(
        ["tokenize", Self.models + "llama2.json", "--no-special-tokens", "--count"], input: Array("a b".utf8))
      #expect(plain.output == "\(lines.count - 1)\n")
    }

    /// Parts of a character have no spelling of their own.
    @Test func jsonHasTheBytesOfEachToken() throws {
      let result = try Tool.run(["tokenize", Self.models + "gpt2.json", "--text", "a\u{20AC}", "--json"])
      let bytes = try #require(JSONValue(parsing: result.output)["bytes"]?.array, "\(result.summary)")
      #expect(bytes.count > 2)
      #expect(bytes.flatMap { $0.array?.compactMap(\.integer) ?? [] } == Array("a\u{20AC}".utf8).map(Int.init))
    }

    @Test func aChatIsWrittenWithTheTemplate() throws {
      try withFolder { folder in
        try write(Array(#"[{"role": "user", "content": "hé"}]"#.utf8), to: folder + "/chat.json")
        let result = try Tool.run(["tokenize", Self.models + "qwen2.gguf", "--chat", folder + "/chat.json", "--json"])
        let object = try JSONValue(parsing: result.output)
        #expect(object["text"]?.string == "hé")
        #expect(object["tokens"]?.array?.count == object["pieces"]?.array?.count)
        let none = try Tool.run(["tokenize", Self.models + "llama2.gguf", "--chat", folder + "/chat.json"])
        #expect(none.status == 1 && none.errors.contains("chat template"), "\(none.summary)")
      }
    }

    @Test func controlTokensCanBeTakenForText() throws {
      let arguments = ["tokenize", Self.models + "gpt2.json", "--text", "<|endoftext|>", "--count"]
      #expect(try Tool.run(arguments).output == "1\n")
      #expect(try Int(Tool.run(arguments + ["--plain"]).output.dropLast()) ?? 0 > 3)
    }
  }
}
