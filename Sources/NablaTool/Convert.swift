import ArgumentParser
import Glibc
import Nabla

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a model between GGUF and Hugging Face format, and quantize or dequantize it.",
    usage: "nabla convert <input> <output> [--type <type>]\nnabla convert <adapter> <output>.gguf --base <model>",
    discussion: """
      An output that ends in .gguf is a GGUF file, for llama.cpp and Nabla; any other is a Hugging Face folder, \
      for transformers. Tensors are converted one at a time, so a model can be larger than memory.

      Types of weights: f32, f16, bf16; in GGUF files also q8_0, q6_K, q5_1, q5_0, q4_K, q4_1, q4_0 (fewer bits, less \
      exact). As in llama.cpp, norms and biases stay f32, the output layer uses q6_K, and rows that are not whole \
      blocks of a type fall back to the next larger type.

        nabla convert Qwen2.5-0.5B model.gguf --type q4_K
        nabla convert model.gguf folder --type bf16

      An adapter (a PEFT folder, or a run that trained one) becomes a GGUF adapter, which llama.cpp loads with \
      --lora on top of a GGUF file of its base model. --base names that model, unless a run does.

        nabla convert runs/sft-1 adapter.gguf
      """)

  @Argument(
    help: "Input: a GGUF file, a Hugging Face or PEFT folder, or a run folder.", completion: .file())
  var input: String
  @Argument(
    help: "Output: a path that does not exist yet; a GGUF file if it ends in .gguf, otherwise a folder.",
    completion: .file()) var output: String
  @Option(
    help: ArgumentHelp(
      "Type of the weights (default: unchanged in a GGUF file, f32 in a folder).", valueName: "type"))
  var type: String?
  @Option(
    help: ArgumentHelp("Base model of the adapter.", valueName: "model"), completion: .file())
  var base: String?

  private static var types: [GGMLType] { ModelConversion.types }

  private func chosenType() throws -> GGMLType? {
    guard let type else { return nil }
    guard let chosen = Self.types.first(where: { $0.name.lowercased() == type.lowercased() }) else {
      throw ValidationError(
        "--type '\(type)' is not one of \(Self.types.map { "\($0)" }.joined(separator: ", "))")
    }
    return chosen
  }

  func validate() throws { _ = try chosenType() }

  func run() throws {
    let run = try AdapterRun(input)
    if run != nil || AdapterFolder.isAdapter(input) { return try convertAdapter(base ?? run?.base) }
    if base != nil { throw ValidationError("--base is for adapters, and \(input) is not one") }
    let conversion = try ModelConversion(from: input, to: output, type: chosenType())
    let isTerminal = isatty(STDERR_FILENO) == 1
    StopSignal.install()
    let remarks: [String]
    do {
      remarks = try conversion.run { done, total, name in
        if StopSignal.isRequested { throw CancellationError() }
        if isTerminal { noteInPlace("\(done + 1)/\(total) \(printable(name))") }
      }
    } catch is CancellationError {
      if isTerminal { noteInPlace("") }
      note("stopped; nothing was written")
      throw ExitCode(130)
    }
    if isTerminal { noteInPlace("") }
    let written = try ModelInspection(path: output)
    note("\(output): \(grouped(written.parameterCount)) parameters, \(byteSize(written.byteCount))")
    for remark in remarks { note("note: \(printable(remark))") }
    for part in written.types { note("  \(part.type): \(plural(part.tensors, "tensor")), \(byteSize(part.byteCount))") }
  }

  private func convertAdapter(_ base: String?) throws {
    guard output.lowercased().hasSuffix(".gguf") else {
      throw ValidationError(
        "an adapter is converted to a GGUF file: end the output's name in .gguf; for a model with the adapter in it, "
          + "first run '\(toolName) merge'")
    }
    if type != nil {
      throw ValidationError(
        "--type is for models: an adapter is saved in f32; for a model with it, first run '\(toolName) merge'")
    }
    guard let base else { throw ValidationError("name the adapter's base model with --base") }
    guard FileKind(output, followingLinks: false) == .absent else {
      throw ModelFolderError(file: output, problem: "already exists; choose another name, or remove it first")
    }
    let trained = try TrainedModel(base)
    for line in try trained.addAdapters([input]) { note("note: \(line)") }
    try AdapterFolder.writeGGUF(input, of: trained.model, to: output)
    note("\(output): an adapter of \(grouped(trained.model.adapter(input).count)) layers, for llama.cpp's --lora")
  }

  /// Replaces the last line of a terminal.
  private func noteInPlace(_ text: String) {
    var bytes = Array("\r\u{1B}[K\(text)".utf8)
    _ = Glibc.write(STDERR_FILENO, &bytes, bytes.count)
  }
}
