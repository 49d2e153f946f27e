import ArgumentParser
import Nabla

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the contents of model files: sizes, types, metadata, tensors, and the memory a model takes.",
    usage: """
      nabla inspect <model> [--context <n>] [--tensors] [--json]
      nabla inspect <adapter> [--json]
      nabla inspect <base> <tuned> [--json]
      nabla inspect --machine [--json]
      """,
    discussion: """
      Reads only the headers, so it is fast for files of any size. A corrupt file is an error that says \
      what is wrong with it. With --machine: the instruction sets and threads in use, instead of a model.

      For an adapter, or a base model and its fine-tuned version, shows the singular values of each weight update \
      and the rank that retains 90 and 99 % of its energy.
      """)

  @Argument(
    help: "Model: a GGUF or safetensors file, a Hugging Face or PEFT folder, or a run folder.",
    completion: .file())
  var model: String?
  @Argument(help: "Fine-tuned model to compare with the first.", completion: .file())
  var tuned: String?
  @Option(
    help: ArgumentHelp("Context of the key-value cache in tokens (default: the model's context).", valueName: "n"))
  var context: Int?
  @Flag(help: "List of every tensor.") var tensors = false
  @Flag(help: "Instruction sets and threads in use, instead of a model.") var machine = false
  @Flag(help: "Output as one JSON object, tensors included.") var json = false

  func validate() throws {
    if machine, model != nil || context != nil || tensors {
      throw ValidationError("--machine shows this computer: it takes no model, --context or --tensors")
    }
    if !machine, model == nil { throw ValidationError("give a model, or --machine") }
    if tuned != nil { try refuseModelFlags() }
    if let context, !(1...(1 << 30)).contains(context) {
      throw ValidationError("--context must be between 1 and \(1 << 30), not \(context)")
    }
  }

  func run() throws {
    guard let model else { return try show(json ? Machine.object.serialized() + "\n" : Machine.text) }
    if let tuned {
      let changes = try ModelDifference(base: model, tuned: tuned).changes
      return try show(json ? changesJSON(changes).serialized() + "\n" : changesText(changes))
    }
    if let folder = try AdapterFolder.isAdapter(model) ? model : AdapterRun(model)?.adapter {
      try refuseModelFlags()
      let adapter = try AdapterInspection(path: folder)
      return try show(json ? adapterJSON(adapter).serialized() + "\n" : adapterText(adapter))
    }
    let inspection = try ModelInspection(path: model)
    try show(json ? object(inspection).serialized() + "\n" : text(inspection))
  }

  private func refuseModelFlags() throws {
    if context != nil || tensors {
      throw ValidationError("\(tensors ? "--tensors" : "--context") is for a model, not for an adapter or a comparison")
    }
  }

  // MARK: Text

  private func text(_ i: ModelInspection) -> String {
    var lines = [
      ("format", i.format), ("architecture", i.architecture ?? "unknown"),
      ("parameters", grouped(i.parameterCount)),
      ("weights", "\(byteSize(i.byteCount)) in \(plural(i.tensors.count, "tensor"))"),
    ].map { padded($0.0, 16) + printable($0.1) }
    for part in i.types {
      lines.append(
        padded("", 16) + padded(part.type, 10) + padded(plural(part.tensors, "tensor"), 14) + byteSize(part.byteCount))
    }
    if let problem = i.problem { lines.append(padded("unsupported", 16) + printable(problem)) }
    if let c = i.configuration { lines += modelLines(c, weights: i.byteCount) }
    if !i.metadata.isEmpty {
      lines += ["", "Metadata"]
      let width = min((i.metadata.map(\.key.count).max() ?? 0) + 2, 44)
      lines += i.metadata.map { "  " + padded(printable($0.key), width) + printable(shortened($0.value)) }
    }
    if tensors {
      lines += ["", "Tensors"]
      let width = (i.tensors.map(\.name.count).max() ?? 0) + 2
      lines += i.tensors.map { tensor in
        "  " + padded(printable(tensor.name), width) + padded(tensor.type, 8) + padded("\(tensor.shape)", 16)
          + byteSize(tensor.byteCount)
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func modelLines(_ c: TransformerConfiguration, weights: Int) -> [String] {
    let context = context ?? c.context
    let own = KeyValueCacheSize(c)
    var lines = [
      ("layers", "\(c.layerCount)"), ("hidden size", "\(c.width), feed-forward \(c.feedForwardWidth)"),
      ("heads", "\(c.headCount) of size \(c.headSize), \(plural(c.keyValueHeadCount, "key/value head"))"),
      ("vocabulary", grouped(c.vocabularySize)), ("context", grouped(c.context)),
      (
        "memory",
        "about \(byteSize(weights + own.bytes(at: context))): weights and the cache of \(grouped(context)) tokens"
      ),
    ].map { padded($0.0, 16) + $0.1 }
    lines += [
      "", "Key-value cache   " + padded("heads", 8) + padded("bytes/token", 16) + "at \(grouped(context)) tokens",
    ]
    for row in cacheRows(c) {
      lines.append(
        "  " + padded(row.name, 16) + padded("\(row.size.keyValueHeadCount)", 8)
          + padded(grouped(row.size.bytesPerToken), 16) + byteSize(row.size.bytes(at: context)) + row.note)
    }
    return lines
  }

  /// The model's own cache in bfloat16, and those of other numbers of key/value heads.
  private func cacheRows(_ c: TransformerConfiguration) -> [(name: String, size: KeyValueCacheSize, note: String)] {
    var counts: [Int] = []
    for count in [c.headCount, c.keyValueHeadCount, 1] where !counts.contains(count) { counts.append(count) }
    return counts.map { count in
      let size = KeyValueCacheSize(c, keyValueHeadCount: count)
      return (size.kind(of: c.headCount), size, count == c.keyValueHeadCount ? "   <- this model" : "")
    }
  }

  // MARK: JSON

  private func object(_ i: ModelInspection) -> JSONValue {
    var object = JSONObject([
      ("path", .string(i.path)), ("format", .string(i.format)),
      ("architecture", i.architecture.map { .string($0) } ?? .null), ("parameters", .integer(i.parameterCount)),
      ("bytes", .integer(i.byteCount)), ("problem", i.problem.map { .string($0) } ?? .null),
    ])
    if let c = i.configuration {
      let context = context ?? c.context
      let own = KeyValueCacheSize(c)
      object["model"] = [
        "layers": .integer(c.layerCount), "width": .integer(c.width), "heads": .integer(c.headCount),
        "key_value_heads": .integer(c.keyValueHeadCount), "head_size": .integer(c.headSize),
        "feed_forward_width": .integer(c.feedForwardWidth), "vocabulary": .integer(c.vocabularySize),
        "context": .integer(c.context),
      ]
      object["key_value_cache"] = .array(
        cacheRows(c).map { row in
          [
            "kind": .string(row.name), "key_value_heads": .integer(row.size.keyValueHeadCount),
            "bytes_per_token": .integer(row.size.bytesPerToken), "context": .integer(context),
            "bytes": .integer(row.size.bytes(at: context)), "own": .bool(row.size == own),
          ]
        })
      object["memory"] = .integer(i.byteCount + own.bytes(at: context))
    }
    object["types"] = .array(
      i.types.map {
        ["type": .string($0.type), "tensors": .integer($0.tensors), "bytes": .integer($0.byteCount)]
      })
    object["metadata"] = .object(JSONObject(i.metadata.map { ($0.key, .string($0.value)) }))
    object["tensors"] = .array(
      i.tensors.map {
        [
          "name": .string($0.name), "type": .string($0.type), "shape": .array($0.shape.map { .integer($0) }),
          "bytes": .integer($0.byteCount),
        ]
      })
    return .object(object)
  }

  private func shortened(_ text: String) -> String {
    text.count > 100 ? text.prefix(96) + " …" : text
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 1))
  }
}

/// 98362432 → "98.4 MB".
func byteSize(_ bytes: Int) -> String { scaled(Double(bytes), [" B", " kB", " MB", " GB", " TB"]) }
