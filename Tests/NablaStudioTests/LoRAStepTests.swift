import FoundationEssentials
import Glibc
import NablaLanguage
import NablaStudio
import NablaTensor
import NablaText
import Testing

struct LoRAStepTests {
  struct Count: Decodable { let full, low, lowOfAll: Int, ratio: Double, shareOfGPT3: Double? }

  /// The chapter's numbers: 151 million against 197 thousand, and about 10 million of 175 billion.
  @Test func countsWhatTheChapterCounts() throws {
    let answer: Count = try untrained.decoded("lora", "count", ["d": "12288", "r": "8"]).value
    #expect(answer.full == 150_994_944 && answer.low == 196_608 && answer.ratio == 768)
    let all: Count = try untrained.decoded("lora", "count", ["d": "12288", "r": "4", "each": "1"]).value
    #expect(all.lowOfAll == 9_437_184)
    #expect(abs(try #require(all.shareOfGPT3) - 9_437_184 / 175e9) < 1e-15)
    for query in [["d": "0"], ["d": "4", "r": "8"], ["r": "-1"], ["layers": "201"], ["d": "NaN"]] {
      #expect(throws: StudioError.self, "\(query)") { try untrained.answer("lora", "count", StudioQuery(query)) }
    }
  }

  struct Change: Decodable {
    struct Quality: Decodable { let base, tuned, atRank: Double, byRank: [[Double]], samples: [String] }
    let values, random: [Double]
    let kept, error, norm: Double
    let rank90, fullParameters, rankParameters: Int
    let change, approximation: DecodedTensor
    let quality: Quality
  }

  @Test(arguments: [0, 3, 64])
  func whatARankMissesIsWhatItsSingularValuesSay(_ rank: Int) throws {
    let answer: Change = try untrained.decoded("lora", "change", ["rank": "\(rank)", "matrix": "1"]).value
    let squares = answer.change.values.reduce(0) { $0 + $1 * $1 }
    let missing = zip(answer.change.values, answer.approximation.values).reduce(0) { $0 + pow($1.0 - $1.1, 2) }
    #expect(abs(answer.values.reduce(0) { $0 + $1 * $1 } / squares - 1) < 1e-5)
    #expect(abs(answer.random.reduce(0) { $0 + $1 * $1 } / squares - 1) < 1e-5)
    #expect(abs((missing / squares).squareRoot() - answer.error) < 1e-4)
    #expect(answer.rankParameters == rank * 128 && answer.fullParameters == 64 * 64)
    // More structure than chance has.
    #expect(answer.values[0] > 1.5 * answer.random[0])
    let quality = answer.quality
    #expect(quality.tuned < quality.base - 0.5)
    if rank == 0 { #expect(quality.atRank == quality.base) }
    if rank == 64 { #expect(abs(quality.atRank - quality.tuned) < 1e-3) }
    if rank == 3 { #expect(quality.atRank < quality.base && quality.atRank > quality.tuned) }
  }

  struct Merge: Decodable {
    let frozen, beside, sum, merged: [Double]
    let layerDifference, largestOutput, logitDifference, largestLogit, lossBefore, lossAfter: Double
    let agreeing, positions: Int
    let isRestored: Bool
  }

  @Test func mergedAndBesideAreTheSameFunction() throws {
    let answer: Merge = try untrained.decoded("lora", "merge", ["r2": "2", "layer": "3"]).value
    for i in 0..<6 {
      #expect(abs(answer.frozen[i] + answer.beside[i] - answer.sum[i]) < 1e-5)
      #expect(abs(answer.sum[i] - answer.merged[i]) < 1e-4)
    }
    #expect(answer.beside.contains { abs($0) > 1e-3 })
    #expect(answer.layerDifference < 1e-5 * answer.largestOutput && answer.logitDifference < 1e-4 * answer.largestLogit)
    #expect(answer.isRestored && answer.lossAfter < answer.lossBefore - 0.5)
  }

  struct Quantized: Decodable {
    struct Kind: Decodable { let name: String, bits, error: Double }
    let histogram, used, shape: [Int]
    let levels: [Double]
    let kinds: [Kind]
    let large16, large4: Double
  }

  @Test func levelsAreThoseOfThePaper() throws {
    let answer: Quantized = try untrained.decoded("lora", "quantize", ["m4": "2"]).value
    // Dettmers et al. 2023, appendix E.
    let paper = [
      -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
      -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
      0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ]
    #expect(answer.levels.count == 16)
    for (level, expected) in zip(answer.levels, paper) { #expect(abs(level - expected) < 1e-6) }
    let count = answer.shape.reduce(1, *)
    #expect(answer.histogram.reduce(0, +) == count && answer.used.reduce(0, +) == count)
    #expect(answer.kinds.map(\.name) == ["nf4", "even", "q4_0", "q8_0"])
    #expect(
      abs(answer.kinds[0].bits - 4.127) < 1e-3 && answer.kinds[0].error < answer.kinds[1].error
        && answer.kinds[3].error < answer.kinds[0].error)
    #expect(answer.large16 == 130e9 && abs(answer.large4 - 33.53e9) < 1e7)
  }

  @Test func refusesWeightsThatAreNotFinite() throws {
    try withTemporaryFolder { folder in
      var random = RandomSource(seed: 1)
      let configuration = TransformerConfiguration(
        vocabularySize: 257, context: 16, width: 64, layerCount: 1, headCount: 1)
      let model = TransformerLM(configuration, random: &random)
      for parameter in model.parameters() where parameter.value.rank == 2 {
        var values = parameter.value.array()
        values[5] = .nan
        parameter.value = Tensor(values, parameter.value.shape)
      }
      try ModelFolder.save(model, tokenizer: ByteTokenizer(), to: folder)
      let studio = Studio(.init(model: folder))
      let query = StudioQuery(["weights": "model", "m4": "0"])
      let error = #expect(throws: StudioError.self) { try studio.answer("lora", "quantize", query) }
      #expect(error?.description.contains("not finite") == true)
    }
  }

  @Test func refusesWhatIsOutOfRange() {
    for (name, query) in [
      ("change", ["rank": "65"]), ("change", ["source": "0"]), ("change", ["task": "poems"]), ("merge", ["r2": "0"]),
      ("quantize", ["m4": "-1"]), ("quantize", ["weights": "all"]),
    ] {
      #expect(throws: StudioError.self, "\(name) \(query)") { try untrained.answer("lora", name, StudioQuery(query)) }
    }
  }
}
