import NablaFormats

/// The tokenizer files of a model folder, in Hugging Face's layout: `tokenizer.json` and `tokenizer_config.json`.
///
/// ```swift
/// try TokenizerFolder.save(tokenizer, to: "runs/pretrain")
/// let same = try TokenizerFolder.load("runs/pretrain")
/// ```
public enum TokenizerFolder {
  public static let fileName = "tokenizer.json"
  public static let configurationName = "tokenizer_config.json"

  /// Writes both files into `folder`, which must exist; each is replaced atomically.
  ///
  /// - Parameters:
  ///   - tokenizer: Of one of the kinds that `tokenizer.json` can describe.
  ///   - folder: Must exist.
  ///   - maximumLength: The model's context in tokens, for the configuration.
  /// - Throws: `FileError`.
  public static func save(_ tokenizer: any Tokenizer, to folder: String, maximumLength: Int? = nil) throws {
    try AtomicFile.write(tokenizer.tokenizerJSON(), to: folder + "/" + fileName)
    try AtomicFile.write(configuration(of: tokenizer, maximumLength), to: folder + "/" + configurationName)
  }

  /// Reads a `tokenizer.json`, or the one in a folder.
  ///
  /// - Throws: ``TokenizerError`` that names the file and the field, `JSONError` with the byte offset, or `FileError`.
  public static func load(_ path: String) throws -> any Tokenizer {
    let file = FileKind(path, followingLinks: true) == .folder ? path + "/" + fileName : path
    return try TokenizerReader(path: file).tokenizer()
  }

  private static func configuration(of tokenizer: any Tokenizer, _ maximumLength: Int?) -> String {
    // The class that reads tokenizer.json as is, whatever the model type.
    var configuration = JSONObject([
      ("tokenizer_class", "PreTrainedTokenizerFast"), ("clean_up_tokenization_spaces", false),
    ])
    if tokenizer.endOfText != nil {
      for role in ["bos_token", "eos_token"] { configuration[role] = .string(SpecialToken.endOfText) }
    }
    if let maximumLength { configuration["model_max_length"] = .integer(maximumLength) }
    return JSONValue.object(configuration).serialized(.indented) + "\n"
  }
}
