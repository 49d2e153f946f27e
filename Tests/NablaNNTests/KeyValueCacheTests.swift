import NablaNN
import NablaTensor
import Testing

@Suite struct KeyValueCacheTests {
  typealias Case = AttentionLayerTests.Case

  /// One sequence's rows through a layer; rows of others may stand beside them.
  private func run(
    _ layer: Attention, _ rotary: RotaryTable?, _ cache: KeyValueCache,
    _ parts: [(sequence: KeyValueCache.Sequence, x: Tensor)]
  ) -> [Tensor] {
    let step = cache.extend(parts.map { ($0.sequence, $0.x.shape[0]) })
    let rows = Tensor.concatenate(parts.map(\.x))
    let y = layer(rows.reshaped([1, rows.shape[0], rows.shape[1]]), rotary: rotary, cache: step.layer(0))[0]
    var start = 0
    return parts.map { part in
      defer { start += part.x.shape[0] }
      return y[start..<start + part.x.shape[0]]
    }
  }

  private func whole(_ layer: Attention, _ rotary: RotaryTable?, _ x: Tensor) -> Tensor {
    layer(x.reshaped([1, x.shape[0], x.shape[1]]), rotary: rotary)[0]
  }

  /// However the positions are handed over, the cached result is that of reading all at once.
  @Test(
    arguments: AttentionLayerTests.cases.dropLast(),
    [[1, 1, 1, 1, 1, 1, 1, 1, 1], [4, 3, 2], [9], [1, 8], [8, 1]])
  func equalsFullForward(_ c: Case, _ parts: [Int]) {
    let (layer, x, rotary) = AttentionLayerTests().make(c)
    let cache = KeyValueCache(layer.configuration, layers: 1, type: .float32)
    let sequences = [cache.add(), cache.add()]
    var start = 0
    var outputs: [[Tensor]] = [[], []]
    for count in parts {
      let results = run(
        layer, rotary, cache, sequences.enumerated().map { ($1, x[$0][start..<start + count]) })
      for i in 0..<2 { outputs[i].append(results[i]) }
      start += count
      #expect(cache.length(sequences[0]) == start)
    }
    for i in 0..<2 {
      expectClose(Tensor.concatenate(outputs[i]), layer(x, rotary: rotary)[i], tolerance: Tolerance.block)
    }
  }

  private let long = Case(keyValueHeads: 2, rotary: true)
  private func longInput(_ length: Int, seed: UInt64 = 2) -> (Attention, Tensor, RotaryTable?) {
    let (layer, _, _) = AttentionLayerTests().make(long)
    var random = RandomSource(seed: seed)
    let (frequencies, _) = rotaryFrequencies(size: layer.configuration.headSize, base: 100)
    return (
      layer, random.normal([length, layer.configuration.width]), RotaryTable(frequencies: frequencies, positions: 400)
    )
  }

  /// Sequences of different lengths in one step, some reading a prompt and some one token; one leaves, another comes.
  @Test(arguments: CacheType.allCases) func sequencesComeAndGo(_ type: CacheType) {
    let (layer, a, rotary) = longInput(300)
    let (_, b, _) = longInput(90, seed: 3)
    let tolerance = type == .float32 ? Tolerance.block : type == .bfloat16 ? Tolerance.bfloat16 : 3 * Tolerance.bfloat16
    let cache = KeyValueCache(layer.configuration, layers: 1, type: type)
    let (first, second) = (cache.add(), cache.add())
    let (wholeA, wholeB) = (whole(layer, rotary, a), whole(layer, rotary, b))
    func check(_ results: [Tensor], _ expected: Tensor...) {
      for (result, expected) in zip(results, expected) { expectClose(result, expected, tolerance: tolerance) }
    }
    check(run(layer, rotary, cache, [(first, a[0..<150])]), wholeA[0..<150])
    check(
      run(layer, rotary, cache, [(second, b[0..<40]), (first, a[150..<151])]), wholeB[0..<40], wholeA[150..<151])
    check(
      run(layer, rotary, cache, [(first, a[151..<250]), (second, b[40..<43])]), wholeA[151..<250], wholeB[40..<43])
    cache.remove(second)
    let third = cache.add()
    check(
      run(layer, rotary, cache, [(third, b[0..<1]), (first, a[250..<251])]), wholeB[0..<1], wholeA[250..<251])
    check(run(layer, rotary, cache, [(third, b[1..<90]), (first, a[251..<300])]), wholeB[1..<90], wholeA[251..<300])
    #expect(cache.sequences == [first, third])
  }

  /// Forks share pages until one writes; truncation forgets; memory follows.
  @Test func forksAndTruncation() {
    let (layer, a, rotary) = longInput(200)
    let (_, b, _) = longInput(200, seed: 5)
    let cache = KeyValueCache(layer.configuration, layers: 1, type: .float32)
    let prompt = cache.add()
    _ = run(layer, rotary, cache, [(prompt, a[0..<100])])
    let page = cache.bytes / 2
    let forks = (0..<3).map { _ in cache.fork(prompt) }
    #expect(cache.bytes == 2 * page, "nothing is copied yet")
    // Each goes on by itself: the shared second page is copied for those who write first.
    let other = Tensor.concatenate([a[0..<100], b[100..<130]])
    let results = run(layer, rotary, cache, [(forks[0], a[100..<130]), (forks[1], b[100..<130])])
    expectClose(results[0], whole(layer, rotary, a[0..<130])[100..<130], tolerance: Tolerance.block)
    expectClose(results[1], whole(layer, rotary, other)[100..<130], tolerance: Tolerance.block)
    expectClose(
      run(layer, rotary, cache, [(prompt, a[100..<104])])[0], whole(layer, rotary, a)[100..<104],
      tolerance: Tolerance.block)
    #expect(cache.bytes == page * (1 + 1 + 2 + 2 + 1), "a common first page, and the rest of each")
    cache.truncate(forks[1], to: 70)
    #expect(cache.length(forks[1]) == 70)
    expectClose(
      run(layer, rotary, cache, [(forks[1], a[70..<140])])[0], whole(layer, rotary, a)[70..<140],
      tolerance: Tolerance.block)
    cache.truncate(forks[1], to: 0)
    expectClose(
      run(layer, rotary, cache, [(forks[1], b[0..<9])])[0], whole(layer, rotary, b)[0..<9], tolerance: Tolerance.block)
    for sequence in cache.sequences { cache.remove(sequence) }
    #expect(cache.bytes == 0)
  }

  /// A row's bits do not depend on the rows beside it.
  @Test func rowsAreIndependent() {
    let (layer, a, rotary) = longInput(280)
    func last(beside count: Int) -> [Float] {
      let cache = KeyValueCache(layer.configuration, layers: 1)
      let sequences = (0...count).map { _ in cache.add() }
      let step = cache.extend(sequences.map { ($0, 280) })
      let c = layer.configuration
      let packed = [layer.query, layer.key, layer.value].map { a.linear($0.weight, bias: $0.bias) }
      let rows = Tensor.concatenate((0...count).map { _ in Tensor.concatenate(packed, axis: 1) })
      let turned = rows.reshaped([1, rows.shape[0], rows.shape[1]]).rotary(
        rotary!, heads: c.headCount + c.keyValueHeadCount, headSize: c.headSize, positions: step.positions)
      return step.layer(0).attend(turned, c)[0][279].array()
    }
    #expect(last(beside: 0) == last(beside: 6))
  }

  @Test func bfloat16Computation() {
    let (layer, x, rotary) = AttentionLayerTests().make(long)
    let cache = KeyValueCache(layer.configuration, layers: 1)
    let sequence = cache.add()
    let half = x[0].cast(.bfloat16)
    let parts = (0..<9).flatMap { run(layer, rotary, cache, [(sequence, half[$0..<$0 + 1])]) }
    expectClose(
      Tensor.concatenate(parts).cast(.float32), layer(x, rotary: rotary)[0], tolerance: Tolerance.bfloat16)
  }

  @Test func bytesPerPosition() {
    // 2 · 28 layers · 2 heads · 128 numbers.
    let c = AttentionConfiguration(width: 1536, headCount: 12, keyValueHeadCount: 2)
    #expect(KeyValueCache.bytesPerPosition(c, layers: 28, type: .bfloat16) == 28_672)
    #expect(KeyValueCache.bytesPerPosition(c, layers: 28, type: .float32) == 57_344)
    #expect(KeyValueCache.bytesPerPosition(c, layers: 28, type: .int8) == 14_784)
  }

  /// Pages are used again, and all memory goes back with the last sequence.
  @Test func memoryGoesBack() async {
    // In a process of its own: the statistics are of all tensors there are.
    await #expect(processExitsWith: .success) {
      let layer = AttentionConfiguration(width: 64, headCount: 4)
      let cache = KeyValueCache(layer, layers: 40, type: .float32)
      func read(_ count: Int) -> [KeyValueCache.Sequence] {
        let sequences = (0..<count).map { _ in cache.add() }
        _ = cache.extend(sequences.map { ($0, 150) })
        return sequences
      }
      let before = Memory.statistics.current
      let first = read(30)
      let held = Memory.statistics.current
      precondition(held - before >= cache.bytes && held - before < cache.bytes + (10 << 20))
      for sequence in first[..<20] { cache.remove(sequence) }
      let rest = read(20)
      precondition(Memory.statistics.current == held, "the pages of removed sequences are used again")
      for sequence in first[20...] + rest { cache.remove(sequence) }
      withExtendedLifetime(cache) { precondition(Memory.statistics.current == before) }  // it keeps no empty slab
    }
  }
}
