import Foundation
import NablaFormats
import NablaText
import Testing

/// Training, cutting and encoding against the numbers of Hugging Face `tokenizers`.
@Suite struct HuggingFaceParityTests {
  static let fixture = TokenizerFixture.shared
  static let trained = try! BPETrainer(vocabularySize: 900).train([TokenizerFixture.corpus])

  @Test func trainingGivesTheSameMerges() throws {
    #expect(try mergeLines(Self.trained) == Self.fixture.merges)
  }

  @Test func encodingGivesTheSameIds() throws {
    #expect(try Self.trained.encode(TokenizerFixture.corpus) == Self.fixture.corpus_ids)
    for (text, ids) in zip(Self.fixture.texts, Self.fixture.text_ids) {
      #expect(try Self.trained.encode(text) == ids, "\(String(reflecting: text))")
      #expect(Array(Self.trained.decode(ids).utf8) == Array(text.utf8))
    }
  }

  @Test(arguments: [PreTokenizer.gpt2, .llama3, .qwen2])
  func cuttingGivesTheSameWords(_ preTokenizer: PreTokenizer) throws {
    let expected = try #require(Self.fixture.words[preTokenizer.rawValue])
    for (text, words) in zip(Self.fixture.texts, expected) {
      let ours = preTokenizer.words(in: text).map { Array($0.utf8) }
      #expect(ours == words.map { Array($0.utf8) }, "\(String(reflecting: text))")
    }
  }

  @Test(
    .enabled(
      if: Fixtures.tinyShakespeare != nil,
      "there is no ../shared/data/tinyshakespeare.txt: put the text of nanoGPT's shakespeare_char there"))
  func tinyShakespeareGivesTheSameVocabularyAndIds() throws {
    let text = Fixtures.tinyShakespeare!
    let tokenizer = try BPETrainer(vocabularySize: 8_000).train([text])
    let ids = try tokenizer.encode(text)
    #expect(digest(try mergeLines(tokenizer)) == Self.fixture.tinyshakespeare.merges)
    #expect(ids.count == Self.fixture.tinyshakespeare.count)
    #expect(digest(ids.map(String.init)) == Self.fixture.tinyshakespeare.ids)
  }

  private func mergeLines(_ tokenizer: ByteLevelBPETokenizer) throws -> [String] {
    let merges = try JSONValue(parsing: tokenizer.tokenizerJSON())["model"]?["merges"]?.array
    return try #require(merges).map { try #require($0.array).compactMap(\.string).joined(separator: " ") }
  }

  private func digest(_ lines: [String]) -> String {
    SHA256.hexadecimal(of: Array(lines.joined(separator: "\n").utf8))
  }
}
