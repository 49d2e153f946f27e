import ArgumentParser
import Glibc
import Nabla

/// The model of an inference command, and how it runs.
struct InferenceOptions: ParsableArguments {
  @Argument(
    help: "Model: a run folder, a Hugging Face folder, or a GGUF file.", completion: .file())
  var model: String
  @Option(
    help: ArgumentHelp(
      "Adapter for the model: a PEFT folder, or a run that trained one; 'nabla chat' takes several.",
      valueName: "folder"),
    completion: .directory)
  var adapter: [String] = []
  @Option(
    help: """
      Precision of the computation: float32 is exact; auto is faster, with 8-bit integers for quantized \
      weights and bfloat16 on CPUs that support it.
      """)
  var precision = Precision.automatic
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  /// - Parameter severalAdapters: whether the command can switch between them; the first is used.
  func load(severalAdapters: Bool = false) throws -> TrainedModel {
    if adapter.count > 1, !severalAdapters {
      throw ValidationError("--adapter: one at a time, not \(adapter.count); 'nabla chat' can switch between several")
    }
    compute.apply()
    let trained = try TrainedModel(model, precision: precision)
    for line in trained.notes { note("note: \(printable(line))") }
    guard let first = adapter.first else { return trained }
    for line in try trained.addAdapters(adapter) { note("note: \(line)") }
    return trained.templated(try AdapterRun(first)?.chatTemplate)
  }
}

extension InferenceOptions {
  func naming<Result>(_ body: () throws -> Result) throws -> Result { try NablaTool.naming(model, body) }
}

/// Runs `body`, and adds the model's name to errors about non-finite logits or its chat template.
func naming<Result>(_ model: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as GenerationError {
    guard case .notFinite = error else { throw error }
    throw ModelError(model: model, problem: error)
  } catch let error as ChatTemplateError {
    throw ModelError(model: model, problem: error)
  }
}

/// An error about a model, with the model's name.
struct ModelError: Error, CustomStringConvertible {
  let model: String
  let problem: any Error
  var description: String { "\(model): \(problem)" }
}

/// Sampling options. Defaults are the model's recommended ones, if any.
struct SamplingFlags: ParsableArguments {
  @OptionGroup var options: SettingFlags<Table>
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Stop string; may be repeated.", valueName: "text"))
  var stop: [String] = []
  @Option(help: ArgumentHelp("Random seed: the same seed gives the same text.", valueName: "n"))
  var seed: UInt64 = 1
  @Option(help: ArgumentHelp("Type of the key-value cache: f32, bf16 or q8.", valueName: "type"))
  var cacheType = CacheType.bfloat16

  struct Table: SettingTable {
    static let flags = SamplingOptions.settings.map {
      SettingFlag($0, defaults: [("", SamplingOptions())], defaultNote: "the model's, or ")
    }
  }

  func applied(to options: SamplingOptions) throws -> SamplingOptions {
    var options = options
    for (name, text) in self.options.given {
      try namingFlags { () throws(ConfigurationError) in try options.set(name, to: text) }
    }
    return options
  }

  func generator(_ trained: TrainedModel) throws -> TextGenerator {
    var generator = trained.generator(
      options: try applied(to: trained.generation.sampling ?? .init()), seed: seed, cacheType: cacheType)
    generator.stopStrings = stop
    return generator
  }
}

extension CacheType: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}

/// Text that is safe to show on a terminal; a file or a pipe gets it unchanged.
func shownText(_ text: String) -> String { isatty(STDOUT_FILENO) == 1 ? printable(text) : text }

/// A prompt, which may be '-' for standard input.
func readPrompt(_ prompt: String) throws -> String {
  guard prompt == "-" else { return prompt }
  guard let text = String(validating: TextBytes.withoutMark(try readStandardInput()), as: UTF8.self) else {
    throw ValidationError("--prompt -: standard input is not UTF-8 text; convert it, for example with iconv -t UTF-8")
  }
  // The line feed that echo and editors end a text with is not part of the prompt.
  return text.hasSuffix("\r\n") || text.hasSuffix("\n") ? String(text.dropLast()) : text
}
