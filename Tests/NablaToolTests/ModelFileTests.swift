import Foundation
import Nabla
import Testing

extension ToolTests {
  /// `nabla inspect` and `nabla convert` on files that others wrote, and on damaged ones.
  @Suite struct ModelFiles {
    static let fixtures =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
      + "/Fixtures"
    static let models = fixtures + "/hf_models"

    @Test func inspectsAGGUFFile() throws {
      let result = try Tool.run(["inspect", Self.models + "/gguf/qwen2.gguf", "--context", "1000", "--tensors"])
      #expect(result.status == 0, "\(result.summary)")
      for part in [
        "GGUF version 3", "qwen2", "20,768", "Q8_0", "4 of size 8, 2 key/value heads", "qwen2.block_count",
        "blk.1.attn_k.bias", "multi-head", "grouped-query", "multi-query", "<- this model",
        // 2 · 2 layers · 2 heads · 8 · 2 bytes
        "128", "128 kB",
      ] { #expect(result.output.contains(part), "\(part)\n\(result.summary)") }
    }

    @Test func inspectsAsJSON() throws {
      let result = try Tool.run(["inspect", Self.models + "/llama-untied", "--json", "--context", "10"])
      let object = try JSONValue(parsing: result.output)
      #expect(object["architecture"]?.string == "llama" && object["format"]?.string == "Hugging Face folder")
      #expect(object["model"]?["key_value_heads"]?.integer == 2)
      let own = object["key_value_cache"]?.array?.first { $0["own"]?.bool == true }
      #expect(own?["bytes_per_token"]?.integer == 128 && own?["bytes"]?.integer == 1280)
      #expect(object["problem"] == .null && object["tensors"]?.array?.isEmpty == false)
    }

    /// What cannot be run can still be looked at.
    @Test func inspectsWhatItDoesNotRun() throws {
      let result = try Tool.run(["inspect", Self.fixtures + "/formats/all-types.gguf", "--tensors"])
      #expect(result.status == 0 && result.output.contains("unsupported"), "\(result.summary)")
      #expect(result.output.contains("Q3_K") && result.output.contains("string[4]"), "\(result.summary)")
      let tensors = try Tool.run(["inspect", Self.fixtures + "/formats/mixed.safetensors"])
      #expect(tensors.status == 0 && tensors.output.contains("BF16"), "\(tensors.summary)")
    }

    /// GGUF to a folder and back: the same tensors.
    @Test func convertsThereAndBack() throws {
      try withFolder { folder in
        let model = folder + "/model"
        try FileManager.default.copyItem(atPath: Self.models + "/llama-tied", toPath: model)
        let vocabulary = (0..<64).map { "\"t\($0)\":\($0)" }.joined(separator: ",")
        let preTokenizer = #"{"type":"ByteLevel","add_prefix_space":false}"#
        let tokenizer =
          #"{"model":{"type":"BPE","vocab":{\#(vocabulary)},"merges":[]},"decoder":{"type":"ByteLevel"},"pre_tokenizer":\#(preTokenizer)}"#
        try write(Array(tokenizer.utf8), to: model + "/tokenizer.json")
        let generation =
          #"{"do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "eos_token_id": [3, 4, 5]}"#
        try write(Array(generation.utf8), to: model + "/generation_config.json")
        let result = try Tool.run(["convert", model, folder + "/m.gguf", "--type", "Q8_0"])
        #expect(result.status == 0 && result.errors.contains("Q8_0"), "\(result.summary)")
        let again = try Tool.run(["convert", folder + "/m.gguf", folder + "/n.gguf", "--type", "f32"])
        #expect(again.status == 0 && !again.errors.contains("Q8_0"), "\(again.summary)")
        // What the makers say of sampling, and every end of a text, come back.
        let back = try Tool.run(["convert", folder + "/n.gguf", folder + "/back"])
        #expect(back.status == 0, "\(back.summary)")
        let kept = try JSONValue(contentsOfFile: folder + "/back/generation_config.json")
        #expect(kept["do_sample"] == true && kept["temperature"] == 0.6 && kept["top_k"] == 20 && kept["top_p"] == 0.95)
        #expect(kept["eos_token_id"]?.array?.compactMap(\.integer).contains([3, 4, 5]) == true, "\(kept.serialized())")
        // Rows of 32 do not divide into blocks of 256.
        let smaller = try Tool.run(["convert", model, folder + "/k.gguf", "--type", "q4_K"])
        #expect(
          smaller.status == 0 && smaller.errors.contains("Q5_0 instead of Q4_K: rows of 32"), "\(smaller.summary)")
        try FileManager.default.createSymbolicLink(atPath: folder + "/link.gguf", withDestinationPath: folder + "/no")
        let linked = try Tool.run(["convert", model, folder + "/link.gguf"])
        #expect(linked.status == 1 && linked.errors.contains("already exists"), "\(linked.summary)")
        let bare = try Tool.run(["convert", Self.models + "/llama-tied", folder + "/bare"])
        #expect(bare.status == 0 && bare.errors.contains("has no tokenizer.json"), "\(bare.summary)")
        let refused = try Tool.run(["convert", model, folder + "/m.gguf"])
        #expect(refused.status == 1 && refused.errors.contains("already exists"), "\(refused.summary)")
      }
    }

    @Test(arguments: [
      (["inspect", "@/none"], 1, "@/none"), (["inspect", "@/text.txt"], 1, "@/text.txt"),
      (["inspect", "@/cut.gguf"], 1, "truncated"), (["inspect", "@/counts.gguf"], 1, "tensors are more than"),
      (["inspect", "@"], 1, "has several GGUF files"),
      (["inspect", "@/cut.gguf", "--context", "0"], 64, "--context"),
      (["convert", "@/cut.gguf", "@/out.gguf"], 1, "truncated"), (["convert", "@/none", "@/out"], 1, "@/none"),
      (["convert", "@/whole.gguf", "@/out.gguf", "--type", "q3_K"], 64, "'q3_K' is not one of f32, f16"),
      (["convert", "@/whole.gguf", "@/out", "--type", "q4_0"], 1, "f32, f16 or bf16"),
      (["convert", "@/whole.gguf", "@/out"], 1, "tokenizer.ggml."),
      (["convert", "@/whole.gguf", "@/no/such/place.gguf"], 1, "@/no/such/place.gguf"),
    ])
    func refuses(_ arguments: [String], status: Int32, says: String) throws {
      try withFolder { folder in
        let whole = try readBytes(Self.models + "/gguf/llama.gguf")
        try write(whole, to: folder + "/whole.gguf")
        try write(Array(whole.prefix(20_000)), to: folder + "/cut.gguf")
        var counts = whole
        counts.replaceSubrange(8..<16, with: [UInt8](repeating: 0x7F, count: 8))
        try write(counts, to: folder + "/counts.gguf")
        let result = try Tool.run(arguments.map { $0.replacingOccurrences(of: "@", with: folder) })
        #expect(result.status == status, "\(result.summary)")
        #expect(result.errors.contains(says.replacingOccurrences(of: "@", with: folder)), "\(result.summary)")
        #expect(
          !FileManager.default.fileExists(atPath: folder + "/out")
            && !FileManager.default.fileExists(atPath: folder + "/out.gguf"))
      }
    }
  }
}
