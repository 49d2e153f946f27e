import Foundation
import Nabla
import Testing

extension ToolTests {
  @Suite struct AlignmentCommands {
    @Test(arguments: ["sft", "dpo"]) func wrongUsage(command: String) throws {
      #expect(try Tool.run([command]).status == 64)
      #expect(try Tool.run([command, "model.gguf"]).errors.contains("--data"))
      let rate = try Tool.run([command, "model.gguf", "--data", "rows.jsonl", "--learning-rate", "0"])
      #expect(rate.status == 64 && rate.errors.contains("--learning-rate must be positive"), "\(rate.summary)")
      let both = try Tool.run([
        command, "model.gguf", "--data", "rows.jsonl", "--adapter", "none", "--quantize", "nf4",
      ])
      #expect(both.status == 64 && both.errors.contains("--quantize is for adapters"), "\(both.summary)")
      let missing = try Tool.run([command, "nothing.gguf", "--data", "rows.jsonl"])
      #expect(missing.status == 1 && missing.errors.contains("nothing.gguf"), "\(missing.summary)")
    }

    @Test func mergeNeedsAnAdapter() throws {
      #expect(try Tool.run(["merge", "a", "b"]).status == 64)
      let missing = try Tool.run(["merge", "nothing.gguf", "b", "c"])
      #expect(missing.status == 1 && missing.errors.contains("nothing.gguf"), "\(missing.summary)")
    }
  }
}
