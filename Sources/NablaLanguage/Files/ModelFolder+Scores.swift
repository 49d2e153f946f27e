import NablaFormats
import NablaNN
import NablaTensor
import NablaText

extension ModelFolder {
  /// The tensor of a reward model's head.
  static let scoreName = "score.weight"

  /// Writes a reward model so that `transformers` loads it by `AutoModelForSequenceClassification`, with tokenizer and
  /// chat template. What an adapter in use changes is written as a part of the weights.
  ///
  /// `transformers` reads the score at the last token that is no padding, and finds padding by its token: the padding
  /// token written is one that no text ends with.
  ///
  /// - Parameters:
  ///   - model: what `trained` is the language model of.
  ///   - trained: gives tokenizer and chat template.
  ///   - folder: must exist.
  public static func save(_ model: ScoreModel, of trained: TrainedModel, to folder: String) throws {
    let c = model.configuration
    let architecture = Architecture(of: c)
    let padding = trained.paddingToken
    try trained.text.writeFiles(to: folder, context: c.context, trained.generation)
    if let token = trained.tokenizer.specialTokens.token(padding) {
      let path = "\(folder)/tokenizer_config.json"
      var configuration = try JSONValue(contentsOfFile: path).object ?? JSONObject()
      configuration["pad_token"] = .string(token.content)
      try AtomicFile.write(JSONValue.object(configuration).serialized(.indented) + "\n", to: path)
    }

    var config = architecture.config(c, endOfText: nil).object ?? JSONObject()
    var family = config["architectures"]?.array?.first?.string ?? "Nabla"
    for suffix in ["ForCausalLM", "LMHeadModel"] where family.hasSuffix(suffix) { family.removeLast(suffix.count) }
    config["architectures"] = [.string("\(family)ForSequenceClassification")]
    config["id2label"] = ["0": "LABEL_0"]
    config["label2id"] = ["LABEL_0": 0]
    for role in ["bos", "eos"] {
      config["\(role)_token_id"] = trained.text.id(of: "\(role)_token").map { .integer(Int($0)) } ?? .null
    }
    config["pad_token_id"] = .integer(Int(padding))
    try AtomicFile.write(JSONValue.object(config).serialized(.indented) + "\n", to: "\(folder)/config.json")

    model.mergeUsedAdapter()
    defer { model.unmergeAdapter() }
    var state: [String: Tensor] = [:]
    for parameter in model.backbone.parameters() where !parameter.name.contains(".adapters.") {
      state["model.\(parameter.name)"] = parameter.value.cast(.float32)
    }
    var tensors = architecture.exported(state, c)
    tensors[scoreName] = model.score.weight.stopGradient().cast(.float32)
    try SafetensorsFile.write(tensors, to: "\(folder)/\(weightsName)")
  }
}

extension TrainedModel {
  /// A token for padding that no text ends with: the tokenizer's own, or else one that is not used in texts.
  var paddingToken: Int32 {
    let ends = endTokens.union(text.id(of: "eos_token").map { [$0] } ?? [])
    let begin = text.id(of: "bos_token")
    let named = ["pad_token", "unk_token"].compactMap(text.id(of:))
    let control = tokenizer.specialTokens.filter { $0.isControl && $0.id != begin }.map(\.id)
    let known = (named + control + [begin].compactMap { $0 }).first { !ends.contains($0) }
    return known ?? (0..<Int32(tokenizer.vocabularySize)).first { !ends.contains($0) } ?? 0
  }
}
