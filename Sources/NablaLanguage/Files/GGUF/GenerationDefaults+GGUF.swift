import NablaFormats

/// The recommended sampling options in GGUF files: `general.sampling.…`, llama.cpp's defaults.
extension GenerationDefaults {
  private static let prefix = "general.sampling."
  private static let keys = ["temp", "top_k", "top_p", "min_p", "penalty_repeat"].map { prefix + $0 }

  /// - Throws: `GGUFError` that names the key.
  init(_ metadata: GGUFMetadata) throws {
    self.init()
    guard Self.keys.contains(where: metadata.has) else { return }
    func number(_ name: String, _ standard: Float) throws(GGUFError) -> Float {
      Float(try metadata.number(Self.prefix + name, default: Double(standard)))
    }
    var options = SamplingOptions()
    options.temperature = try number("temp", options.temperature)
    // Below 0 means all tokens, as 0 does.
    options.topK = max(0, metadata[Self.prefix + "top_k"]?.integer ?? options.topK)
    options.topP = try number("top_p", options.topP)
    options.minP = try number("min_p", options.minP)
    options.repetitionPenalty = try number("penalty_repeat", options.repetitionPenalty)
    do { try options.validate() } catch {
      throw ModelFolderError(file: metadata.file, problem: "\(Self.prefix)*: \(error.problem)")
    }
    sampling = options
  }

  func write(to metadata: inout GGUFMetadata) {
    guard let sampling else { return }
    metadata[Self.prefix + "temp"] = .float32(sampling.temperature)
    metadata[Self.prefix + "top_k"] = .int32(Int32(clamping: sampling.topK))
    metadata[Self.prefix + "top_p"] = .float32(sampling.topP)
    metadata[Self.prefix + "min_p"] = .float32(sampling.minP)
    metadata[Self.prefix + "penalty_repeat"] = .float32(sampling.repetitionPenalty)
  }

  /// Adds the fields of `generation_config.json`.
  func write(to fields: inout JSONObject) {
    guard let sampling else { return }
    fields["do_sample"] = true
    fields["temperature"] = .number(shortest: sampling.temperature)
    fields["top_k"] = .integer(sampling.topK)
    fields["top_p"] = .number(shortest: sampling.topP)
    fields["min_p"] = .number(shortest: sampling.minP)
    fields["repetition_penalty"] = .number(shortest: sampling.repetitionPenalty)
  }
}
