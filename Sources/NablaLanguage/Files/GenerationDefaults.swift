import NablaFormats

/// A model's recommended generation settings: a folder's `generation_config.json`.
public struct GenerationDefaults: Sendable, Equatable {
  /// The sampling options; nil if there are none.
  public var sampling: SamplingOptions?
  /// Tokens that end a text.
  public var endTokens: Set<Int32> = []
  /// The token a text begins with.
  public var beginToken: Int32?
  /// Settings in the files that Nabla does not support.
  public private(set) var notes: [String] = []

  public init() {}

  /// Reads a folder's `generation_config.json`, or otherwise its `config.json`.
  package init(folder: String, vocabularySize: Int) throws {
    let name = "generation_config.json"
    let hasOwn = pathExists("\(folder)/\(name)")
    let path = "\(folder)/\(hasOwn ? name : "config.json")"
    let fields = ConfigFields(try JSONValue(contentsOfFile: path), file: path)
    func token(_ value: JSONValue, _ field: String) throws(ModelFolderError) -> Int32 {
      guard let id = value.integer, id >= 0, id < vocabularySize else {
        throw ModelFolderError(
          file: path, problem: "\"\(field)\": \(value.serialized()) is not a token of a vocabulary of \(vocabularySize)"
        )
      }
      return Int32(id)
    }
    switch fields.config["eos_token_id"] {
    case nil, .null: break
    case .array(let list)?: for value in list { endTokens.insert(try token(value, "eos_token_id")) }
    case let value?: endTokens = [try token(value, "eos_token_id")]
    }
    if fields.has("bos_token_id") { beginToken = try token(fields.config["bos_token_id"]!, "bos_token_id") }
    let ignored = fields.config.object?.members.filter { Self.unsupported.contains($0.key) && $0.value.isSet } ?? []
    if hasOwn, !ignored.isEmpty {
      let fields = ignored.map { "\($0.key): \($0.value.serialized())" }.joined(separator: ", ")
      notes = ["\(name) has unsupported settings, which are ignored: \(fields)"]
    }
    // Without do_sample, transformers ignores the other fields too.
    guard hasOwn, try fields.bool("do_sample", default: false) else { return }
    let options = SamplingOptions(
      temperature: Float(try fields.number("temperature", default: 1)), topK: try fields.integer("top_k", default: 50),
      topP: Float(try fields.number("top_p", default: 1)), minP: Float(try fields.number("min_p", default: 0)),
      repetitionPenalty: Float(try fields.number("repetition_penalty", default: 1)))
    do { try options.validate() } catch { throw ModelFolderError(file: path, problem: error.problem) }
    sampling = options
  }

  /// Settings that change the output of `transformers` and have no equivalent here.
  private static let unsupported: Set<String> = [
    "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "bad_words_ids",
    "sequence_bias", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "stop_strings", "penalty_alpha",
    "guidance_scale", "exponential_decay_length_penalty", "watermarking_config", "min_length", "min_new_tokens",
  ]
}

extension JSONValue {
  /// Whether it changes anything.
  fileprivate var isSet: Bool { self != .null && self != false && double != 0 && double != 1 && array?.isEmpty != true }
}
