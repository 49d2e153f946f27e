import ArgumentParser
import Nabla

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an adapter a part of its model.",
    usage: "nabla merge <model> <adapter> <output> [options]",
    discussion: """
      Writes a Hugging Face folder, in bfloat16 unless --type says otherwise, and how much of the adapter's change the \
      rounding to that type is. Of a quantized model, the change is added to the numbers that its blocks represent, which \
      is what the adapter was trained beside. 'nabla convert' makes a GGUF file of the folder, where quantizing again \
      costs what 'nabla inspect MODEL OUTPUT' shows.
      """)

  @Argument(help: "A GGUF file, a Hugging Face folder, or a run folder.", completion: .file()) var model: String
  @Argument(help: "A PEFT folder, or a run that trained an adapter.", completion: .directory) var adapter: String
  @Argument(help: "The folder to write: new or empty.", completion: .directory) var output: String
  @Option(help: "The type that the model's layers were put into for training: none, nf4 or q8_0.")
  var quantize: BaseQuantization?
  @Option(help: "The type of the weights that are written: bf16, f16 or f32.") var type = MergedType.bf16

  enum MergedType: String, ExpressibleByArgument, CaseIterable {
    case bf16, f16, f32
    var dtype: DType { self == .bf16 ? .bfloat16 : self == .f16 ? .float16 : .float32 }
  }

  func run() throws {
    let trained = try TrainedModel(model, precision: .float32)
    // A run says by itself how its base was kept.
    try trained.model.quantizeLayers(try quantize ?? AdapterRun(adapter)?.quantization ?? .none)
    let bytes = trained.model.parameters().reduce(0) { $0 + $1.value.count } * type.dtype.size
    note("writing \(byteSize(bytes)) of \(type.rawValue) to \(output)")
    for line in try trained.merge(adapter, to: output, type: type.dtype) { note("note: \(line)") }
    note("model: \(output)\nnext:  \(toolName) chat \(shellQuoted(output))")
  }
}

extension BaseQuantization: ExpressibleByArgument {}
