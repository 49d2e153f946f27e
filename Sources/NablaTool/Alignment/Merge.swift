import ArgumentParser
import Nabla

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Merge an adapter into its base model.",
    usage: "nabla merge <model> <adapter> <output> [options]",
    discussion: """
      Writes a Hugging Face folder, in bfloat16 unless --type says otherwise, and prints the size of the rounding \
      error relative to the adapter's update. For a quantized model, the update is added to the dequantized \
      weights, on which the adapter was trained. 'nabla convert' makes a GGUF file from the folder; 'nabla \
      inspect MODEL OUTPUT' shows the error of quantizing it again.
      """)

  @Argument(help: "Base model: a GGUF file, a Hugging Face folder, or a run folder.", completion: .file()) var model:
    String
  @Argument(help: "Adapter: a PEFT folder, or a run that trained one.", completion: .directory) var adapter: String
  @Argument(help: "Output folder, new or empty.", completion: .directory) var output: String
  @Option(help: "Quantization of the base model in training: none, nf4 or q8_0.")
  var quantize: BaseQuantization?
  @Option(help: "The type of the weights that are written: bf16, f16 or f32.") var type = MergedType.bf16

  enum MergedType: String, ExpressibleByArgument, CaseIterable {
    case bf16, f16, f32
    var dtype: DType { self == .bf16 ? .bfloat16 : self == .f16 ? .float16 : .float32 }
  }

  func run() throws {
    let trained = try TrainedModel(model, precision: .float32)
    // A run records how its base model was quantized.
    try trained.model.quantizeLayers(try quantize ?? AdapterRun(adapter)?.quantization ?? .none)
    let bytes = trained.model.parameters().reduce(0) { $0 + $1.value.count } * type.dtype.size
    note("writing \(byteSize(bytes)) of \(type.rawValue) to \(output)")
    for line in try trained.merge(adapter, to: output, type: type.dtype) { note("note: \(line)") }
    note("model: \(output)\nnext:  \(toolName) chat \(shellQuoted(output))")
  }
}

extension BaseQuantization: ExpressibleByArgument {}
