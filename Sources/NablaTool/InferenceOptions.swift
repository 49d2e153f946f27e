import ArgumentParser
import Glibc
import Nabla

/// The model of a command that uses one, and how it runs.
struct InferenceOptions: ParsableArguments {
  @Argument(
    help: "A run folder, a Hugging Face folder, or a GGUF file.", completion: .file())
  var model: String
  @Option(
    help: ArgumentHelp(
      "An adapter beside the model: a PEFT folder, or a run that trained one.", valueName: "folder"),
    completion: .directory)
  var adapter: String?
  @Option(
    help: """
      How exactly to compute: float32 is exact; auto is faster where it can be, with 8-bit integers for quantized \
      weights and bfloat16 on CPUs that have it.
      """)
  var precision = Precision.automatic
  @OptionGroup(title: "Machine") var compute: ComputeOptions

  func load() throws -> TrainedModel {
    compute.apply()
    let trained = try TrainedModel(model, precision: precision)
    for line in trained.notes { note("note: \(printable(line))") }
    if let adapter { for line in try trained.addAdapters([adapter]) { note("note: \(line)") } }
    return trained
  }
}

extension InferenceOptions {
  func naming<Result>(_ body: () throws -> Result) throws -> Result { try NablaTool.naming(model, body) }
}

/// Runs `body`, and says which model it is whose logits are not finite, or whose chat template does not work.
func naming<Result>(_ model: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as GenerationError {
    guard case .notFinite = error else { throw error }
    throw ModelError(model: model, problem: error)
  } catch let error as ChatTemplateError {
    throw ModelError(model: model, problem: error)
  }
}

/// What is wrong with a model, where the error alone does not say which it is.
struct ModelError: Error, CustomStringConvertible {
  let model: String
  let problem: any Error
  var description: String { "\(model): \(problem)" }
}

/// Flags that say how tokens are chosen. What is not given is as the model's makers say, or else plain.
struct SamplingFlags: ParsableArguments {
  @OptionGroup var options: SettingFlags<Table>
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("End before this text; may be given more than once.", valueName: "text"))
  var stop: [String] = []
  @Option(help: ArgumentHelp("Seed of the choices: the same seed gives the same text.", valueName: "n"))
  var seed: UInt64 = 1
  @Option(help: ArgumentHelp("How keys and values of earlier tokens are kept: f32, bf16 or q8.", valueName: "type"))
  var cacheType = CacheType.bfloat16

  struct Table: SettingTable {
    static let flags = SamplingOptions.settings.map {
      SettingFlag($0, defaults: [("", SamplingOptions())], defaultNote: "what the model says, or ")
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

/// What a terminal may be shown; a file or a pipe gets the text as it is.
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
