import NablaLanguage
import NablaTensor
import NablaText
import NablaTraining

extension TunedModel {
  /// Greedy completions of the first rows of a dataset, to compare during training.
  ///
  /// - Parameters:
  ///   - length: maximum new tokens of a completion.
  ///   - count: rows.
  /// - Returns: nil if no row has a prompt, or all are too long.
  func sample(_ rows: Dataset, _ encoder: ExampleEncoder, length: Int, count: Int = 2) throws -> RunSample? {
    if length == 0 { return nil }
    setDropout(nil)
    let core = InferenceCore(model)
    var parts: [String] = []
    for row in rows.prefix(count) {
      guard let prompt = try? encoder.encodePrompt(row), !prompt.isEmpty,
        prompt.count + length <= model.configuration.context
      else { continue }
      let request = TokenRequest(
        prompt: prompt, maximumTokens: length, sampling: SamplingOptions(temperature: 0), stopTokens: encoder.endTokens,
        random: RandomSource(seed: 0))  // draws nothing at temperature 0
      let answer: Completion
      do {
        answer = try core.complete([GenerationRequest(request)], tokenizer: tokenizer)[0]
      } catch GenerationError.notFinite {
        throw Diverged(reason: "the weights give non-finite logits")
      }
      var bytes: [UInt8] = []
      for (place, token) in prompt.enumerated() { tokenizer.appendText(of: token, isFirst: place == 0, to: &bytes) }
      parts.append("\(String(decoding: bytes, as: UTF8.self))▸\(answer.text)")
    }
    return parts.isEmpty ? nil : RunSample(text: parts.joined(separator: "\n\n———\n\n") + "\n")
  }
}
