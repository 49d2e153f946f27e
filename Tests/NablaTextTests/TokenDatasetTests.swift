import NablaText
import Testing

@Suite struct TokenDatasetTests {
  @Test(arguments: [100, 1 << 16, 1 << 17])
  func tokensComeBackWhateverTheirWidth(vocabularySize: Int) {
    let tokens: [Int32] = [0, 5, Int32(vocabularySize - 1), 7]
    let dataset = TokenDataset(tokens, vocabularySize: vocabularySize)
    #expect((0..<dataset.count).map { dataset[$0] } == tokens)
    #expect((0..<2).map { dataset[2..<4][$0] } == [Int32(vocabularySize - 1), 7])
  }

  @Test func validationIsTheTail() {
    let dataset = TokenDataset(Array(0..<100), vocabularySize: 100)
    let (training, validation) = dataset.split(validationFraction: 0.1)
    #expect(training.count == 90 && training[89] == 89)
    #expect(validation.count == 10 && validation[0] == 90)
    #expect(dataset.split(validationFraction: 0).validation.count == 0)
  }

  @Test func bytesOfTokensAreCounted() throws {
    let tokenizer = try CharacterTokenizer(corpus: ["aé世"])
    let tokens = try tokenizer.encode("aé世<|endoftext|>a")
    let dataset = TokenDataset(tokens, vocabularySize: tokenizer.vocabularySize)
    #expect(dataset.byteCount(of: 1..<5, tokenizer.byteCounts()) == 2 + 3 + 0 + 1)
    #expect(abs(bitsPerByte(nats: 8.317766166719343, byteCount: 4) - 3) < 1e-12)
  }
}

@Suite struct WindowTests {
  static let dataset = TokenDataset(Array(0..<1000), vocabularySize: 1000)

  @Test func targetsAreTheNextTokens() throws {
    let batch = try RandomWindows(Self.dataset, context: 7, batchSize: 5, seed: 3).batch(step: 11)
    #expect(batch.inputs.shape == [5, 7] && batch.targets.shape == [5, 7] && batch.targetCount == 35)
    let (inputs, targets) = (batch.inputs.array(of: Int32.self), batch.targets.array(of: Int32.self))
    #expect(targets == inputs.map { $0 + 1 })
    for row in 0..<5 { #expect((0..<7).allSatisfy { inputs[row * 7 + $0] == inputs[row * 7] + Int32($0) }) }
  }

  @Test func aBatchIsAFunctionOfSeedAndStep() throws {
    let windows = try RandomWindows(Self.dataset, context: 8, batchSize: 4, seed: 1)
    let again = try RandomWindows(Self.dataset, context: 8, batchSize: 4, seed: 1)
    let other = try RandomWindows(Self.dataset, context: 8, batchSize: 4, seed: 2)
    func inputs(_ windows: RandomWindows, _ step: Int) -> [Int32] {
      windows.batch(step: step).inputs.array(of: Int32.self)
    }
    let batches = (0..<50).map { inputs(windows, $0) }
    #expect((0..<50).reversed().map { inputs(again, $0) } == batches.reversed())
    #expect(Set(batches).count == 50)
    #expect(!(0..<50).contains { inputs(other, $0) == batches[$0] })
  }

  @Test func randomWindowsReachEveryPlace() throws {
    let small = Self.dataset[0..<12]
    let windows = try RandomWindows(small, context: 8, batchSize: 16, seed: 9)
    var counts = [Int](repeating: 0, count: 4)
    for step in 0..<250 {
      let inputs = windows.batch(step: step).inputs.array(of: Int32.self)
      for row in 0..<16 { counts[Int(inputs[row * 8])] += 1 }
    }
    // 4,000 draws over 4 places: 1,000 each, standard deviation 27.
    #expect(counts.allSatisfy { abs($0 - 1000) < 140 }, "\(counts)")
  }

  @Test(arguments: [(10, 3), (16, 4), (1, 1), (13, 40)])
  func anEpochHasEachWindowOnce(context: Int, batchSize: Int) throws {
    let windows = try ShuffledWindows(Self.dataset, context: context, batchSize: batchSize, seed: 4)
    let epochs = 3
    var starts: [Int32] = []
    for step in 0..<windows.stepCount(epochs: epochs) {
      let inputs = windows.batch(step: step).inputs.array(of: Int32.self)
      starts += stride(from: 0, to: inputs.count, by: context).map { inputs[$0] }
    }
    let n = windows.windowCount
    #expect(n == 999 / context)
    let all = (0..<n).map { Int32($0 * context) }
    let orders = (0..<epochs).map { Array(starts[($0 * n)..<(($0 + 1) * n)]) }
    for order in orders { #expect(order.sorted() == all) }
    #expect(Set(orders + [all]).count == epochs + 1)
  }

  @Test(arguments: [(7, 3, 1000), (8, 4, 33), (64, 2, 10), (1, 5, 7), (5, 1, 2), (9, 1, 19)])
  func evaluationCoversEachTokenOnce(context: Int, batchSize: Int, count: Int) throws {
    let part = Self.dataset[0..<count]
    let windows = try SequentialWindows(part, context: context, batchSize: batchSize)
    var targets: [Int32] = []
    for batch in windows {
      let counted = zip(batch.inputs.array(of: Int32.self), batch.targets.array(of: Int32.self))
        .filter { $0.1 != TokenBatch.ignoredTarget }
      #expect(counted.allSatisfy { $0.1 == $0.0 + 1 } && counted.count == batch.targetCount)
      // No row, and no column, without a target.
      #expect(batch.inputs.shape == batch.targets.shape)
      #expect(
        batch.inputs.shape[0] <= batchSize && batch.inputs.shape[0] == (batch.targetCount + context - 1) / context)
      #expect(batch.inputs.shape[1] == min(context, batch.targetCount))
      targets += counted.map(\.1)
    }
    #expect(targets == Array(1..<Int32(count)))
  }

  @Test func aCorpusShorterThanTheContextIsAnError() {
    let part = Self.dataset[0..<8]
    #expect(throws: CorpusError.tooShort(tokenCount: 8, context: 8)) {
      try RandomWindows(part, context: 8, batchSize: 1, seed: 0)
    }
    #expect(throws: CorpusError.tooShort(tokenCount: 8, context: 8)) {
      try ShuffledWindows(part, context: 8, batchSize: 1, seed: 0)
    }
    #expect(throws: CorpusError.tooShort(tokenCount: 1, context: 1)) {
      try SequentialWindows(part[0..<1], context: 8, batchSize: 1)
    }
    #expect(throws: Never.self) { try RandomWindows(part, context: 7, batchSize: 1, seed: 0) }
  }
}

@Suite struct PermutationTests {
  @Test(arguments: [1, 2, 3, 4, 5, 17, 64, 1000])
  func aPermutationHasEachIndexOnce(count: Int) {
    for stream in 0..<3 as Range<UInt64> {
      let shuffle = Permutation(count: count, seed: 8, stream: stream)
      #expect((0..<count).map { shuffle[$0] }.sorted() == Array(0..<count))
    }
  }

  /// Over many epochs each place gets each window about equally often.
  @Test func permutationsAreUniform() {
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 5), count: 5)
    for stream in 0..<2000 as Range<UInt64> {
      let shuffle = Permutation(count: 5, seed: 77, stream: stream)
      for i in 0..<5 { counts[i][shuffle[i]] += 1 }
    }
    // 400 each, standard deviation 18.
    #expect(counts.joined().allSatisfy { abs($0 - 400) < 90 }, "\(counts)")
  }
}
