import NablaFormats
import NablaText
import Testing

/// Tokens and masks equal to those of TRL's trainers (Tests/Fixtures/generate/dataset_encoding.py).
@Suite struct DatasetParityTests {
  static let fixture = try! JSONValue(contentsOfFile: Fixtures.text + "/datasets.json")
  static let cases = fixture["cases"]!.array!

  static func encoder(_ expected: JSONValue, keepsTail: Bool) throws -> ExampleEncoder {
    let name = expected["tokenizer"]!.string!
    let tokenizer = try TokenizerFolder.load(Fixtures.text + "/models/\(name).json")
    let roles = Dictionary(
      uniqueKeysWithValues: fixture["tokenizers"]![name]!.object!.members.map { ($0.key, $0.value.string!) })
    return try ExampleEncoder(
      PretrainedTokenizer(tokenizer, roles: roles),
      template: expected["template"]!.string.map { fixture["templates"]![$0]!.string! }, keepsTail: keepsTail)
  }

  static func ids(_ value: JSONValue?) -> [Int32] { value!.array!.map { Int32($0.integer!) } }

  @Test(arguments: cases.indices)
  func tokensAndMasksAreThoseOfTRL(_ index: Int) throws {
    let expected = Self.cases[index]
    let dataset = try DatasetReadingTests.read(expected["rows"]!.array!.map { $0.serialized() })
    let encoder = try Self.encoder(expected, keepsTail: true)
    let place: Comment = "\(expected["tokenizer"]!.string!), \(expected["template"]!.string ?? "plain")"
    for (example, row) in zip(dataset, expected["expected"]!.array!) {
      if expected["kind"] == "pairs" {
        let pair = try encoder.encodePair(example)
        #expect(Array(pair.prompt) == Self.ids(row["prompt"]), place)
        #expect(Array(pair.chosen.tokens.dropFirst(pair.chosen.promptCount)) == Self.ids(row["chosen"]), place)
        #expect(Array(pair.rejected.tokens.dropFirst(pair.rejected.promptCount)) == Self.ids(row["rejected"]), place)
        #expect(pair.chosen.trained == [pair.chosen.promptCount..<pair.chosen.tokens.count], place)
      } else {
        let encoded = try encoder.encode(example)
        #expect(encoded.tokens == Self.ids(row["tokens"]), place)
        // The first token is predicted by nothing: TRL's loss leaves it out, too.
        #expect(encoded.lossMask.dropFirst() == Self.ids(row["mask"]).map { $0 == 1 }.dropFirst(), place)
      }
    }
  }

  /// Without what follows the end tokens: the same tokens up to there.
  @Test(arguments: cases.indices)
  func theTailIsAllThatIsLeftOut(_ index: Int) throws {
    let expected = Self.cases[index]
    guard expected["kind"] == "examples" else { return }
    let dataset = try DatasetReadingTests.read(expected["rows"]!.array!.map { $0.serialized() })
    let encoder = try Self.encoder(expected, keepsTail: false)
    for (example, row) in zip(dataset, expected["expected"]!.array!) {
      let encoded = try encoder.encode(example)
      let all = Self.ids(row["tokens"])
      // Some of the templates write the end tokens of other models, which are ordinary text here.
      let end = all.lastIndex { $0 == encoder.endOfText } ?? all.count - 1
      #expect(encoded.tokens == Array(all[...end]))
    }
  }
}
