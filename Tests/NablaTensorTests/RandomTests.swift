import CNablaKernels
import FoundationEssentials
import Glibc
import NablaTensor
import Testing

@Suite("Random numbers")
struct RandomTests {
  /// Known answers published with Random123 (kat_vectors, philox4x32 10 rounds): counter, key, result.
  static let knownAnswers: [(counter: [UInt32], key: [UInt32], result: [UInt32])] = [
    ([0, 0, 0, 0], [0, 0], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
    (
      [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff], [0xffff_ffff, 0xffff_ffff],
      [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    ),
    (
      [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
      [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    ),
  ]

  @Test("Philox4x32-10 gives the published answers", arguments: knownAnswers)
  func philox(_ counter: [UInt32], _ key: [UInt32], _ result: [UInt32]) {
    func wide(_ low: UInt32, _ high: UInt32) -> UInt64 { UInt64(low) | UInt64(high) << 32 }
    var words = [UInt32](repeating: 0, count: 4)
    nabla_philox(wide(key[0], key[1]), wide(counter[2], counter[3]), wide(counter[0], counter[1]), 4, &words)
    #expect(words == result)
  }

  /// The stream that draws nothing makes tensors without memory: a file must not ask for it.
  @Test("a saved source comes back, but for one that draws nothing")
  func coding() throws {
    var source = RandomSource(seed: 3)
    _ = source.next()
    var again = try JSONDecoder().decode(RandomSource.self, from: JSONEncoder().encode(source))
    #expect(again == source && again.next() == source.next())
    let unset = Data(#"{"key": 0, "stream": 18446744073709551615, "counter": 0}"#.utf8)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(RandomSource.self, from: unset) }
  }

  @Test("uniform: range, moments, and every sixteenth equally often", arguments: [1, 7, 100_003])
  func uniform(_ n: Int) {
    var random = RandomSource(seed: 7)
    let values = random.uniform([n]).array(of: Double.self)
    #expect(values.allSatisfy { $0 >= 0 && $0 < 1 })
    guard n > 1000 else { return }
    let count = Double(n)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
    #expect(abs(mean - 0.5) < 5 * (1 / 12.0 / count).squareRoot() && abs(variance - 1 / 12.0) < 0.002)
    var bins = [Int](repeating: 0, count: 16)
    for v in values { bins[Int(v * 16)] += 1 }
    // χ² with 15 degrees of freedom: beyond 45 about once in 10,000 seeds, and this seed is fixed.
    #expect(bins.reduce(0) { $0 + pow(Double($1) - count / 16, 2) / (count / 16) } < 45)
    // Neighbours, and numbers four apart (one block), are unrelated.
    for lag in [1, 2, 4] {
      let product = zip(values, values.dropFirst(lag)).reduce(0) { $0 + ($1.0 - 0.5) * ($1.1 - 0.5) } / count
      #expect(abs(product * 12) < 5 / count.squareRoot())
    }
  }

  @Test("uniform never reaches its upper bound")
  func upperBound() {
    var random = RandomSource(seed: 1)
    // Between these bounds float32 has two numbers, and rounding would make the bound one time in four.
    let values = random.uniform([1000], in: 16_777_216..<16_777_220).array(of: Float.self)
    #expect(values.allSatisfy { $0 >= 16_777_216 && $0 < 16_777_220 } && Set(values).count == 2)
    let other = random.uniform([1000], in: -3 ..< -1).array(of: Float.self)
    #expect(other.min()! >= -3 && other.max()! < -1 && other.max()! > -1.02)
  }

  @Test("normal: moments and tails")
  func normal() {
    var random = RandomSource(seed: 11)
    let n = 400_001
    let values = random.normal([n], mean: 2, standardDeviation: 3).array(of: Double.self).map { ($0 - 2) / 3 }
    let count = Double(n)
    func moment(_ k: Double) -> Double { values.reduce(0) { $0 + pow($1, k) } / count }
    #expect(abs(moment(1)) < 5 / count.squareRoot())
    #expect(abs(moment(2) - 1) < 5 * (2 / count).squareRoot())
    #expect(abs(moment(3)) < 5 * (15 / count).squareRoot())
    #expect(abs(moment(4) - 3) < 5 * (96 / count).squareRoot())
    for z in [0.5, 1, 2, 3] {
      let expected = erfc(z / 2.0.squareRoot())
      let actual = Double(values.count { abs($0) > z }) / count
      #expect(abs(actual - expected) < 5 * (expected * (1 - expected) / count).squareRoot())
    }
    let pairs = stride(from: 0, to: n - 1, by: 2).reduce(0.0) { $0 + values[$1] * values[$1 + 1] } / (count / 2)
    #expect(abs(pairs) < 5 / (count / 2).squareRoot())
  }

  @Test("categorical: frequencies, and never what is impossible")
  func categorical() {
    var random = RandomSource(seed: 3)
    let logits: [Float] = [log(0.5), -.infinity, log(0.3), log(0.15), log(0.05)]
    let n = 40_000
    let draws = random.categorical(logits: Tensor((0..<n).flatMap { _ in logits }, [n, 5])).array(of: Int32.self)
    for (i, p) in [0.5, 0, 0.3, 0.15, 0.05].enumerated() {
      let frequency = Double(draws.count { $0 == Int32(i) }) / Double(n)
      #expect(abs(frequency - p) <= 5 * (p * (1 - p) / Double(n)).squareRoot(), "\(i): \(frequency)")
    }
    #expect(random.categorical(logits: Tensor([Float(0), 800, 0])).array(of: Int32.self) == [1])
    #expect(random.categorical(logits: .zeros([2, 3, 7])).shape == [2, 3])
  }

  /// One probable element among many that are all but impossible: together 10⁻⁷ of the mass.
  @Test("categorical keeps to the distribution in a large vocabulary")
  func categoricalTail() {
    var random = RandomSource(seed: 5)
    var logits = [Float](repeating: -27, count: 50_000)
    logits[123] = 0
    let row = Tensor(logits, [1, 50_000])
    for _ in 0..<400 { #expect(random.categorical(logits: row).array(of: Int32.self) == [123]) }
  }

  @Test("categorical refuses a row without a possible element")
  func impossible() async {
    await #expect(processExitsWith: .failure) {
      var random = RandomSource(seed: 1)
      _ = random.categorical(logits: Tensor([-Float.infinity, -.infinity]))
    }
    await #expect(processExitsWith: .failure) {
      var random = RandomSource(seed: 1)
      _ = random.categorical(logits: Tensor([Float.nan, 1]))
    }
  }

  @Test("permutation: each number once, each place equally often")
  func permutation() {
    var random = RandomSource(seed: 9)
    #expect(random.permutation(1000).sorted() == Array(0..<1000))
    #expect(random.permutation(0).isEmpty)
    var counts = [Int](repeating: 0, count: 25)
    for _ in 0..<20_000 {
      for (place, number) in random.permutation(5).enumerated() { counts[5 * place + number] += 1 }
    }
    #expect(counts.allSatisfy { abs(Double($0) - 4000) < 5 * (20_000.0 * 0.2 * 0.8).squareRoot() })
  }

  @Test("streams that were split are unrelated")
  func split() {
    var parent = RandomSource(seed: 1)
    var children = [parent.split(), parent.split()]
    children.append(children[0].split())
    var sources = children + [parent, RandomSource(seed: 2)]
    let n = 20_000
    var streams: [[Double]] = []
    for i in sources.indices { streams.append(sources[i].uniform([n]).array(of: Double.self).map { $0 - 0.5 }) }
    for i in streams.indices {
      for j in 0..<i {
        let correlation = 12 * zip(streams[i], streams[j]).reduce(0) { $0 + $1.0 * $1.1 } / Double(n)
        #expect(abs(correlation) < 5 / Double(n).squareRoot(), "streams \(i) and \(j)")
      }
    }
  }

  @Test("the same seed gives the same numbers, also after saving")
  func reproducible() throws {
    var a = RandomSource(seed: 42)
    var b = RandomSource(seed: 42)
    var other = RandomSource(seed: 43)
    #expect(a.normal([5]).array(of: Float.self) == b.normal([5]).array())
    _ = other.normal([5])
    var copy = a
    let numbers = a.uniform([9]).array(of: Float.self)
    #expect(copy == b && copy.uniform([9]).array() == numbers && other.uniform([9]).array() != numbers)
    #expect(a.next() == copy.next() && a.uniform() == copy.uniform())
    // What was drawn is not drawn again.
    #expect(a.uniform([9]).array() != numbers)
  }
}

@Suite("Dropout")
struct DropoutTests {
  @Test("frequency and scale", arguments: [Float(0.1), 0.5, 0.9])
  func statistics(_ p: Float) {
    var random = RandomSource(seed: 4)
    let n = 100_003
    let y = Tensor.full([n], 2).dropout(p, random: &random).array(of: Float.self)
    let kept = y.filter { $0 != 0 }
    #expect(kept.allSatisfy { abs($0 - 2 / (1 - p)) < 1e-5 })
    let expected = Double(1 - p)
    #expect(abs(Double(kept.count) / Double(n) - expected) < 5 * (expected * Double(p) / Double(n)).squareRoot())
  }

  @Test("the backward pass drops the same elements", arguments: [DType.float32, .bfloat16])
  func sameMask(_ type: DType) {
    var random = RandomSource(seed: 4)
    let x = Tensor.full([50, 401], 1).cast(type)
    var mask: Tensor?
    let (_, gradients) = valueAndGradient(at: [x]) { inputs in
      let y = inputs[0].dropout(0.25, random: &random)
      mask = y.stopGradient()
      return y.cast(.float32).sum()
    }
    #expect(gradients[0].array(of: Float.self) == mask!.array() && mask!.dtype == type)
  }

  @Test("each call drops others; p = 0 drops none and draws nothing")
  func calls() {
    var random = RandomSource(seed: 4)
    let x = Tensor.ones([100])
    #expect(x.dropout(0.5, random: &random).array(of: Float.self) != x.dropout(0.5, random: &random).array())
    let before = random
    #expect(x.dropout(0, random: &random).array(of: Float.self) == x.array() && random == before)
  }
}
