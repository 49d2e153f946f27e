import ArgumentParser
import Glibc
import Nabla

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a model between GGUF and Hugging Face format, and quantize or dequantize it.",
    usage: "nabla convert <input> <output> [--type <type>]",
    discussion: """
      An output that ends in .gguf is a GGUF file, for llama.cpp and Nabla; any other is a Hugging Face folder, \
      for transformers. Tensors are converted one at a time, so a model can be larger than memory.

      Types of weights: f32, f16, bf16; in GGUF files also q8_0, q6_K, q5_1, q5_0, q4_K, q4_1, q4_0 (fewer bits, less \
      exact). As in llama.cpp, norms and biases stay f32, the output layer uses q6_K, and rows that are not whole \
      blocks of a type fall back to the next larger type.

        nabla convert Qwen2.5-0.5B model.gguf --type q4_K
        nabla convert model.gguf folder --type bf16
      """)

  @Argument(
    help: "Input: a GGUF file, a Hugging Face folder, or a run folder of 'nabla pretrain'.", completion: .file())
  var input: String
  @Argument(
    help: "Output: a path that does not exist yet; a GGUF file if it ends in .gguf, otherwise a folder.",
    completion: .file()) var output: String
  @Option(
    help: ArgumentHelp(
      "Type of the weights (default: unchanged in a GGUF file, f32 in a folder).", valueName: "type"))
  var type: String?

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
    for part in written.types { note("  \(part.type): \(part.tensors) tensors, \(byteSize(part.byteCount))") }
  }

  /// Replaces the last line of a terminal.
  private func noteInPlace(_ text: String) {
    var bytes = Array("\r\u{1B}[K\(text)".utf8)
    _ = Glibc.write(STDERR_FILENO, &bytes, bytes.count)
  }
}
