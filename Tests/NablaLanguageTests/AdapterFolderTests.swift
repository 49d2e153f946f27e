import Foundation
import NablaFormats
import NablaLanguage
import NablaNN
import NablaTensor
import Testing

/// Adapters in files: PEFT's folders in and out, llama.cpp's GGUF out.
@Suite struct AdapterFolderTests {
  private let base = "\(peerModels)/llama-untied"
  private let peft = packageFolder + "/Tests/Fixtures/lora_llama"

  private func model() throws -> TransformerLM { try ModelFolder.load(base) }

  private func logits(_ model: TransformerLM, _ ids: Tensor) -> Tensor { withoutGradient { model.logits(model(ids)) } }

  @Test("what peft wrote gives peft's logits", arguments: ["lora", "dora", "rslora"])
  func reads(_ name: String) throws {
    let expected = try SafetensorsFile(path: "\(peft)/\(name)/logits.safetensors").tensors()
    let model = try model()
    let plain = logits(model, expected["input_ids"]!)
    let notes = try AdapterFolder.load("\(peft)/\(name)", into: model, base: "models/llama-untied")
    #expect(notes.isEmpty, "\(notes)")
    #expect(bits(Backbone(plain))["value"] == bits(Backbone(logits(model, expected["input_ids"]!)))["value"])
    model.useAdapter("default")
    #expect(model.trainableParameters().isEmpty)
    #expect(largestDifference(logits(model, expected["input_ids"]!), expected["logits"]!) < 1e-4)
    #expect(largestDifference(plain, expected["logits"]!) > 1e-2)
    model.mergeUsedAdapter()
    #expect(largestDifference(logits(model, expected["input_ids"]!), expected["logits"]!) < 1e-4)

    // Written again it is the same adapter.
    try withTemporaryFolder { folder in
      try AdapterFolder.save(of: model, base: "llama-untied", to: "\(folder)/again")
      #expect(AdapterFolder.isAdapter("\(folder)/again") && !AdapterFolder.isAdapter(folder))
      let (ours, theirs) = try (
        SafetensorsFile(path: "\(folder)/again/adapter_model.safetensors").tensors(),
        SafetensorsFile(path: "\(peft)/\(name)/adapter_model.safetensors").tensors()
      )
      #expect(ours.keys.sorted() == theirs.keys.sorted())
      for (key, tensor) in theirs { #expect(ours[key].map { largestDifference($0, tensor) } == 0, "\(key)") }
      let (a, b) = try (
        JSONValue(contentsOfFile: "\(folder)/again/adapter_config.json"),
        JSONValue(contentsOfFile: "\(peft)/\(name)/adapter_config.json")
      )
      for field in ["r", "lora_alpha", "use_dora", "use_rslora", "peft_type", "task_type", "bias", "lora_dropout"] {
        #expect(a[field]?.double == b[field]?.double && a[field]?.string == b[field]?.string, "\(field)")
        #expect(a[field]?.bool == b[field]?.bool, "\(field)")
      }
      let targets = b["target_modules"]!.array!.compactMap(\.string).sorted()
      #expect(a["target_modules"]!.array!.compactMap(\.string) == targets)
    }
  }

  /// Its parameters are compared by bits.
  private final class Backbone: Module {
    @Parameter var value: Tensor
    init(_ value: Tensor) { self.value = value }
  }

  /// An adapter whose numbers all matter.
  private func adapted(_ settings: LoRAConfiguration) throws -> TransformerLM {
    var random = RandomSource(seed: 12)
    let model = try model()
    try model.addAdapter("mine", settings, random: &random)
    for (_, adapter) in model.adapter("mine") {
      for parameter in adapter.parameters() {
        parameter.value =
          parameter.value + random.normal(parameter.value.shape, standardDeviation: 0.1)
      }
    }
    model.useAdapter("mine")
    return model
  }

  static let settings: [LoRAConfiguration] = [
    .init(rank: 4, alpha: 8), .init(rank: 3, alpha: 5, targets: ["q_proj", "down_proj"], usesMagnitude: true),
    .init(rank: 4, alpha: 6, usesRankStabilization: true), .init(rank: 4, alpha: 8, initialization: .pissa),
    .init(rank: 2, targets: ["model.layers.1.mlp.up_proj"]),
    .init(rank: 4, alpha: 6, usesRankStabilization: true, initialization: .pissa),
  ]

  @Test("written and read again it computes the same", arguments: settings.indices) func roundTrip(_ i: Int) throws {
    try withTemporaryFolder { folder in
      let model = try adapted(Self.settings[i])
      let ids = tokens([2, 12], below: model.configuration.vocabularySize)
      try AdapterFolder.save("mine", of: model, base: base, to: "\(folder)/adapter")
      let other = try self.model()
      try AdapterFolder.load("\(folder)/adapter", into: other, as: "theirs", isTrainable: true)
      other.useAdapter("theirs")
      #expect(largestDifference(logits(model, ids), logits(other, ids)) < 2e-5)
      #expect(other.trainableParameters().count == other.adapter("theirs").flatMap { $0.adapter.parameters() }.count)
    }
  }

  @Test("peft computes the same with what Nabla wrote", .enabled(if: peftPython != nil, "needs a Python that has peft"))
  func peftReads() throws {
    try withTemporaryFolder { folder in
      var folders: [String] = []
      for (i, settings) in Self.settings.enumerated() {
        let model = try adapted(settings)
        let ids = tokens([2, 12], below: model.configuration.vocabularySize)
        folders.append("\(folder)/\(i)")
        try AdapterFolder.save("mine", of: model, base: base, to: folders[i])
        try SafetensorsFile.write(
          ["input_ids": ids, "logits": logits(model, ids)], to: "\(folders[i])/check.safetensors")
      }
      let script = packageFolder + "/Tests/Fixtures/generate/check_adapter.py"
      let (status, output) = try run(peftPython!, [script, base] + folders)
      #expect(status == 0, "\(output)")
    }
  }

  /// Ranks and α of single layers are written as PEFT's patterns, and read again.
  @Test func layersThatDiffer() throws {
    try withTemporaryFolder { folder in
      var state = try SafetensorsFile(path: "\(peft)/lora/adapter_model.safetensors").tensors()
      let query = "model.layers.1.self_attn.q_proj"
      state["base_model.model.\(query).lora_A.weight"] = Tensor([Float](repeating: 0.1, count: 2 * 32), [2, 32])
      state["base_model.model.\(query).lora_B.weight"] = Tensor([Float](repeating: 0.2, count: 32 * 2), [32, 2])
      var config = try JSONValue(contentsOfFile: "\(peft)/lora/adapter_config.json").object!
      config["alpha_pattern"] = ["v_proj": 2.5]
      try FileManager.default.createDirectory(atPath: "\(folder)/a", withIntermediateDirectories: false)
      try SafetensorsFile.write(state, to: "\(folder)/a/adapter_model.safetensors")
      try AtomicFile.write(JSONValue.object(config).serialized(), to: "\(folder)/a/adapter_config.json")
      let (first, second) = (try model(), try model())
      try AdapterFolder.load("\(folder)/a", into: first)
      try AdapterFolder.save(of: first, base: base, to: "\(folder)/b")
      try AdapterFolder.load("\(folder)/b", into: second)
      for (a, b) in zip(first.adapter("default"), second.adapter("default")) {
        #expect(a.path == b.path && a.adapter.scale == b.adapter.scale, "\(a.path)")
      }
      let written = try JSONValue(contentsOfFile: "\(folder)/b/adapter_config.json")
      #expect(written["r"]?.integer == 4 && written["lora_alpha"]?.integer == 8)
      let ranks: JSONValue = [query: 2]
      let alphas: JSONValue = ["model.layers.0.self_attn.v_proj": 2.5, "model.layers.1.self_attn.v_proj": 2.5]
      #expect(written["rank_pattern"] == ranks && written["alpha_pattern"] == alphas)
    }
  }

  /// More than an integer holds.
  @Test func largeAlpha() throws {
    try withTemporaryFolder { folder in
      let model = try adapted(.init(rank: 2, alpha: 1e19))
      try AdapterFolder.save("mine", of: model, base: base, to: "\(folder)/adapter")
      let written = try JSONValue(contentsOfFile: "\(folder)/adapter/adapter_config.json")
      #expect(written["lora_alpha"]?.double == Double(Float(1e19)))
      #expect(written["alpha_pattern"]?.object?.count == 0 && written["rank_pattern"]?.object?.count == 0)
    }
  }

  @Test func ggufHasLlamasOrder() throws {
    try withTemporaryFolder { folder in
      let model = try adapted(.init(rank: 4, alpha: 6, usesRankStabilization: true))
      let path = "\(folder)/adapter.gguf"
      try AdapterFolder.writeGGUF("mine", of: model, to: path)
      let file = try GGUFFile(path: path)
      #expect(file.metadata["general.type"]?.string == "adapter")
      #expect(file.metadata["general.architecture"]?.string == "llama")
      #expect(file.metadata["adapter.type"]?.string == "lora")
      // llama.cpp scales by α over the rank.
      #expect(file.metadata["adapter.lora.alpha"]?.double == 12)
      #expect(file.entries.count == 2 * 2 * 7)
      let layers = Dictionary(uniqueKeysWithValues: model.adapter("mine").map { ($0.path, $0.adapter) })
      let value = layers["model.layers.1.self_attn.v_proj"]!
      #expect(try file.tensor("blk.1.attn_v.weight.lora_a").array() == value.down.array(of: Float.self))
      #expect(try file.tensor("blk.1.attn_v.weight.lora_b").array() == value.up.array(of: Float.self))
      // Rows of queries stand pairwise: the change of the weight is reordered as the weight is.
      let query = layers["model.layers.0.self_attn.q_proj"]!
      let up = try file.tensor("blk.0.attn_q.weight.lora_b")
      let down = try file.tensor("blk.0.attn_q.weight.lora_a")
      let change = query.up.matmul(query.down).interleavingPairs(heads: model.configuration.headCount)
      #expect(largestDifference(up.matmul(down), change) < 1e-6)
      #expect(throws: ModelFolderError.self) {
        try AdapterFolder.writeGGUF("mine", of: try adapted(.init(rank: 2, usesMagnitude: true)), to: path)
      }
    }
  }

  private func problem(_ change: (inout [String: Tensor], inout JSONObject) -> Void) throws -> String {
    try withTemporaryFolder { folder in
      var state = try SafetensorsFile(path: "\(peft)/lora/adapter_model.safetensors").tensors()
      var config = try JSONValue(contentsOfFile: "\(peft)/lora/adapter_config.json").object!
      change(&state, &config)
      try SafetensorsFile.write(state, to: "\(folder)/adapter_model.safetensors")
      try AtomicFile.write(JSONValue.object(config).serialized(), to: "\(folder)/adapter_config.json")
      let model = try model()
      do {
        try AdapterFolder.load(folder, into: model)
        return "none"
      } catch {
        #expect(model.adapterNames.isEmpty && model.trainableParameters().count == model.parameters().count)
        return "\(error)".replacingOccurrences(of: folder + "/", with: "")
      }
    }
  }

  @Test func badFiles() throws {
    let query = "base_model.model.model.layers.0.self_attn.q_proj"
    #expect(try problem { _, _ in } == "none")
    let shape = try problem { state, _ in
      state["\(query).lora_A.weight"] = .zeros([4, 48])
    }
    #expect(
      shape == "adapter_model.safetensors: layer model.layers.0.self_attn.q_proj is [32, 32], but its adapter is "
        + "[32, 4] · [4, 48] (the adapter was made for \"llama-untied\")", "\(shape)")
    #expect(
      try problem { state, _ in state["\(query).lora_B.weight"] = nil }
        .contains("q_proj has only one of lora_A and lora_B"))
    #expect(
      try problem { state, _ in state["base_model.model.model.layers.7.mlp.up_proj.lora_A.weight"] = .zeros([4, 32]) }
        .contains("the model has no linear layer model.layers.7.mlp.up_proj"))
    #expect(
      try problem { state, _ in state["base_model.model.score.weight"] = .zeros([1, 32]) }
        .contains("tensor base_model.model.score.weight does not belong to a LoRA adapter"))
    #expect(try problem { state, _ in state = [:] }.contains("it contains no adapter"))
    #expect(try problem { _, config in config["use_dora"] = true }.contains("lora_magnitude_vector is missing"))
    for (field, value, message) in [
      ("peft_type", "IA3", "adapters of type \"IA3\" are not supported"),
      ("peft_type", .null, "no field \"peft_type\""),
      ("r", "4", "\"r\" should be a non-negative integer"), ("lora_alpha", .null, "no field \"lora_alpha\""),
      ("lora_alpha", 0, "\"lora_alpha\": 0.0 is not a positive number"),
      ("bias", "all", "\"bias\": \"all\" is not supported"),
      ("fan_in_fan_out", true, "\"fan_in_fan_out\": true is not supported"),
      ("modules_to_save", ["lm_head"], "\"modules_to_save\" is not supported"),
      ("alpha_pattern", ["(q|k)_proj": 3], "\"(q|k)_proj\" is not supported"),
    ] as [(String, JSONValue, String)] {
      let problem = try problem { _, config in config[field] = value }
      #expect(problem.hasPrefix("adapter_config.json: ") && problem.contains(message), "\(field): \(problem)")
    }
    #expect(throws: (any Error).self) { try AdapterFolder.load("/nowhere", into: try model()) }
  }

  @Test func otherBase() throws {
    let notes = try AdapterFolder.load("\(peft)/lora", into: try model(), base: "else/llama-tied")
    #expect(notes.count == 1 && notes[0].contains("\"llama-untied\"") && notes[0].contains("llama-tied"))
    #expect(try AdapterFolder.load("\(peft)/lora", into: try model(), base: "x/Llama-Untied.Q4_K_M.gguf").isEmpty)
    #expect(try AdapterFolder.load("\(peft)/lora", into: try model(), base: "x/llama-untied/").isEmpty)
    // Another α for some layers.
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(atPath: "\(peft)/lora", toPath: "\(folder)/a")
      var config = try JSONValue(contentsOfFile: "\(folder)/a/adapter_config.json").object!
      config["alpha_pattern"] = ["v_proj": 2]
      try AtomicFile.write(JSONValue.object(config).serialized(), to: "\(folder)/a/adapter_config.json")
      let model = try model()
      try AdapterFolder.load("\(folder)/a", into: model)
      for (path, adapter) in model.adapter("default") {
        #expect(adapter.scale == (path.hasSuffix("v_proj") ? 0.5 : 2), "\(path)")
      }
    }
  }
}

/// A Python that has peft: NABLA_PYTHON, or .venv/bin/python; nil where there is none.
private let peftPython: String? = {
  let candidates = [ProcessInfo.processInfo.environment["NABLA_PYTHON"], packageFolder + "/.venv/bin/python"]
  return candidates.compactMap { $0 }.first { path in
    guard FileManager.default.isExecutableFile(atPath: path) else { return false }
    let question = "import sys, importlib.util as u; sys.exit(any(u.find_spec(x) is None for x in ('torch', 'peft')))"
    return (try? run(path, ["-c", question]))?.status == 0
  }
}()

private func run(_ tool: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
  let (process, pipe) = (Process(), Pipe())
  process.executableURL = URL(fileURLWithPath: tool)
  process.arguments = arguments
  process.standardOutput = pipe
  process.standardError = pipe
  try process.run()
  let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  return (process.terminationStatus, output)
}
