import Foundation
import NablaFormats
import NablaLanguage
import NablaTensor
import NablaText
import Testing

private let path = packageFolder + "/.models/SmolLM2-135M-Instruct.Q4_1.gguf"
private let references = packageFolder + "/Tests/Fixtures/smollm.safetensors"
private let isPresent = [path, references].allSatisfy { FileManager.default.fileExists(atPath: $0) }

/// A real model against transformers and llama.cpp. `make model` fetches it; without it these tests are skipped.
@Suite(.enabled(if: isPresent, "there is no SmolLM2: make model"), .serialized)
struct SmolLMTests {
  private let fixture: [String: Tensor]

  init() throws { fixture = try SafetensorsFile(path: references).tensors() }

  /// The model from its packed weights, or from the same weights in float32.
  private func load(dequantized: Bool) throws -> TrainedModel {
    let trained = try TrainedModel(path, precision: .float32)
    if dequantized {
      for parameter in trained.model.parameters() { parameter.value = parameter.value.cast(.float32) }
    }
    return trained
  }

  @Test func float32LogitsAndGreedyTextAreThoseOfTransformers() throws {
    let trained = try load(dequantized: true)
    let prompt = fixture["prompt"]!.array(of: Int32.self)
    let cache = trained.model.makeCache(.float32)
    let logits = trained.model.logits(trained.model.read([(cache.add(), prompt)], cache))
    let columns = fixture["columns"]!.array(of: Int32.self).map(Int.init)
    let width = logits.shape[1]
    let chosen = (0..<prompt.count).flatMap { row in columns.map { logits.floats[row * width + $0] } }
    #expect(largestDifference(Tensor(chosen, [prompt.count, columns.count]), fixture["logits"]!) <= 1e-3)

    var generator = trained.generator(options: .greedy, cacheType: .float32)
    generator.stopTokens = []
    let tokens = try generator.run(prompts: [prompt], maximumTokens: 64)[0].tokens
    #expect(tokens == fixture["greedy"]!.array(of: Int32.self))
  }

  /// Packed weights predict a text as in llama.cpp, whether exactly or in integers; half a percent of perplexity is
  /// 0.005 nats.
  @Test(arguments: [Precision.float32, .automatic]) func packedWeightsPredictAsInLlamaCpp(_ precision: Precision) throws
  {
    let trained = try TrainedModel(path, precision: precision)
    let data = TokenDataset(
      fixture["text"]!.array(of: Int32.self), vocabularySize: trained.model.configuration.vocabularySize)
    let result = try trained.model.evaluate(data, tokenizer: trained.tokenizer, context: 512, batchSize: 1)
    #expect(abs(result.loss - Double(fixture["llama_cpp"]!.item())) < 0.005)
  }

  /// What a turn has in common with the last is not read again, and answers are as without a cache.
  @Test func chatReadsOnlyWhatIsNew() throws {
    let trained = try load(dequantized: false)
    let system = String(repeating: "You answer questions about geography in one short sentence. ", count: 12)
    func talk(_ limits: InferenceLimits) throws -> [Completion] {
      var chat = ChatSession(
        trained, system: system, generator: trained.generator(options: .greedy, limits: limits))
      chat.maximumTokens = 8
      let completions = try ["What is the capital of France?", "And of Italy?"].map { message in
        let answer = try chat.send(message)
        while try answer.next() != nil {}
        return try chat.finish(answer)
      }
      #expect(chat.messages.map(\.role) == ["system", "user", "assistant", "user", "assistant"])
      return completions
    }
    let turns = try talk(.init())
    #expect(turns[0].text.contains("Paris"))
    // At least the whole pages of the first turn.
    #expect(turns[0].cachedCount == 0 && turns[1].cachedCount >= turns[0].promptCount / 64 * 64)
    let cold = try talk(.init(prefixBytes: 0))
    #expect(cold.map(\.tokens) == turns.map(\.tokens) && cold[1].cachedCount == 0)
  }
}
