import NablaNN
import NablaTensor
import Testing

/// Blocks that pip's gguf and llama.cpp made or read; Tests/Fixtures/generate/quantization.py says how.
@Suite("Block-quantized tensors against ggml")
struct QuantizationFixtureTests {
  let fixture: Fixture

  init() throws { fixture = try Fixture("quantization") }

  /// A tensor of block type over the bytes of a uint8 tensor, which it borrows.
  private func blocks(_ name: String, _ type: DType) throws -> Tensor {
    let bytes = try fixture[name]
    let count = bytes.count / type.bytesPerBlock * type.blockSize
    return Tensor(
      borrowing: bytes.pointer, shape: [bytes.shape[0], count / bytes.shape[0]], dtype: type, from: bytes.storage)
  }

  @Test("every type decodes to the same bits", arguments: DType.quantizedTypes)
  func decodes(_ type: DType) throws {
    let blocks = try blocks("\(type).blocks", type)
    let values = try fixture["\(type).values"]
    expectEqual(blocks.cast(.float32), values)
    expectEqual(blocks.cast(.bfloat16).cast(.float32), values.cast(.bfloat16).cast(.float32), "bfloat16")
    expectEqual(blocks.cast(.float16).cast(.float32), values.cast(.float16).cast(.float32), "float16")
    // Rows by themselves, from the middle of the storage.
    expectEqual(blocks[3..<5].cast(.float32), values[3..<5], "slice")
    let rows = Tensor([Int32(7), 0, 7])
    expectEqual(blocks.gather(rows), values.gather(rows), "gather")
  }

  @Test("types of 32 numbers are made with the same bytes", arguments: [DType.q4_0, .q4_1, .q5_0, .q5_1, .q8_0])
  func quantizes(_ type: DType) throws {
    let made = try fixture["input"].cast(type)
    let expected = try fixture["\(type).quantized"]
    let bytes = UnsafeBufferPointer(start: made.pointer.assumingMemoryBound(to: UInt8.self), count: expected.count)
    #expect(Array(bytes) == expected.array(of: UInt8.self))
  }

  /// llama.cpp may leave other bits where a scale is 0, and compilers fuse its sums: the numbers count.
  @Test("types of 256 numbers are as near as llama.cpp's", arguments: [DType.q4_K, .q6_K])
  func searches(_ type: DType) throws {
    let input = try fixture["input"]
    let (made, reference) = (input.cast(type).cast(.float32), try blocks("\(type).quantized", type).cast(.float32))
    var same = 0
    for row in 0..<input.shape[0] {
      func error(_ x: Tensor) -> Double { (x[row] - input[row]).sumOfSquares() }
      #expect(error(made) <= 1.001 * error(reference) + 1e-12, "row \(row)")
      if made[row].array() as [Float] == reference[row].array() { same += 1 }
    }
    #expect(same >= input.shape[0] - 1)
  }

  @Test("numbers that are not finite, and a rounding error of no more than half a step")
  func extremes() {
    let wild = Tensor([Float.nan, .infinity, -.infinity, 1e38, -1e38, 0] + Array(repeating: 1, count: 250), [1, 256])
    for type in DType.quantizedTypes where type.isQuantizationTarget { _ = wild.cast(type).cast(.float32) }
    var random = RandomSource(seed: 5)
    let x = random.normal([8, 64])
    let error = (x.cast(.q8_0).cast(.float32) - x).array(of: Float.self).map(abs).max()!
    let largest = x.array(of: Float.self).map(abs).max()!
    #expect(error <= largest / 127 * 0.51)
  }
}

@Suite("Layers with weights kept in smaller types")
struct StoredWeightTests {
  private var random = RandomSource(seed: 11)

  /// float32 in, float32 products: only the order of sums differs from a dense weight of the same numbers.
  @Test("float32 products are exact, gradients go through", arguments: DType.quantizedTypes + [.bfloat16, .float16])
  mutating func exact(_ type: DType) throws {
    let weight = random.normal([70, 512], standardDeviation: 0.05)
    let stored = try stored(weight, type)
    let dense = stored.cast(.float32)
    let bias = random.normal([70])
    for rows in [1, 3, 40] {
      let x = random.normal([rows, 512])
      let residual = random.normal([rows, 70])
      expectClose(x.linear(stored, bias: bias), x.linear(dense, bias: bias), tolerance: 1e-5, "\(rows) rows")
      expectClose(
        x.linear(stored, residual: residual), x.linear(dense, residual: residual), tolerance: 1e-5, "with residual")
      let parts = [stored, dense[0..<20], stored[5..<44]]
      let wholes = [dense, dense[0..<20], dense[5..<44]]
      expectClose(x.linear(parts), x.linear(wholes), tolerance: 1e-5, "packed")
      func gradient(_ weights: [Tensor]) -> Tensor {
        valueAndGradient(at: [x]) { $0[0].linear(weights).square().sum() }.gradients[0]
      }
      expectClose(gradient(parts), gradient(wholes), tolerance: 1e-4, "gradient")
    }
  }

  /// bfloat16 in: block-quantized weights meet x in 8 bits (or in bfloat16 hardware), the others in bfloat16 or float32.
  @Test("bfloat16 products are near", arguments: DType.quantizedTypes + [.bfloat16, .float16])
  mutating func near(_ type: DType) throws {
    let stored = try stored(random.normal([70, 512], standardDeviation: 0.05), type)
    for rows in [1, 3, 100] {
      let x = random.normal([rows, 512]).cast(.bfloat16)
      let residual = random.normal([rows, 70])
      let exact = x.cast(.float32).linear(stored.cast(.float32))
      let near = x.linear(stored)
      #expect(near.dtype == .bfloat16)
      #expect(distanceOfNorms(near.cast(.float32), exact) < 0.015, "\(rows) rows")
      expectClose(
        x.linear(stored, residual: residual), x.linear(stored, output: .float32) + residual, tolerance: 1e-5)
      // The gradient is that of the weight as it is, in the compute type.
      func gradient(_ x: Tensor, _ weight: Tensor) -> Tensor {
        valueAndGradient(at: [x]) { $0[0].linear(weight).cast(.float32).sum() }.gradients[0].cast(.float32)
      }
      #expect(distanceOfNorms(gradient(x, stored), gradient(x.cast(.float32), stored.cast(.float32))) < 0.015)
      let recorded = valueAndGradient(at: [x]) { $0[0].linear(stored, output: .float32).sum() }.value
      #expect(recorded.item() == x.linear(stored, output: .float32).sum().item(), "recording changes nothing")
    }
  }

  /// Q2_K, Q3_K and Q5_K are only read: of those, blocks of random bits with small scales.
  private mutating func stored(_ weight: Tensor, _ type: DType) throws -> Tensor {
    if !type.isQuantized || type.isQuantizationTarget { return weight.cast(type) }
    let bytes = type.byteCount(of: weight.count)
    let blocks = Tensor((0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) })
    let scales: [DType: [Int]] = [.q2_K: [80, 82], .q3_K: [108], .q5_K: [0, 2]]
    for block in 0..<bytes / type.bytesPerBlock {
      for place in scales[type]! {
        (blocks.pointer + block * type.bytesPerBlock + place)
          .storeBytes(of: Float16(0.001).bitPattern, as: UInt16.self)
      }
    }
    return Tensor(borrowing: blocks.pointer, shape: weight.shape, dtype: type, from: blocks.storage)
  }

  @Test("a weight of several tiles")
  mutating func tiles() {
    let stored = random.normal([1100, 1024], standardDeviation: 0.05).cast(.q8_0)
    let x = random.normal([9, 1024])
    func value(_ weight: Tensor) -> (value: Tensor, gradients: [Tensor]) {
      valueAndGradient(at: [x]) { $0[0].linear(weight).square().sum() }
    }
    let (a, b) = (value(stored), value(stored.cast(.float32)))
    expectClose(a.value, b.value, tolerance: 1e-4)
    expectClose(a.gradients[0], b.gradients[0], tolerance: 1e-4)
  }

  @Test("cross-entropy and log-probabilities over a quantized output layer")
  mutating func crossEntropy() {
    let weight = random.normal([96, 64], standardDeviation: 0.2).cast(.q8_0)
    let x = random.normal([2, 7, 64])
    let targets = Tensor((0..<14).map { Int32($0 * 5 % 96) }, [2, 7])
    func gradients(_ weight: Tensor) -> [Tensor] {
      valueAndGradient(at: [x]) { $0[0].linearCrossEntropy(weight, targets: targets) }.gradients
        + valueAndGradient(at: [x]) { $0[0].linearLogProbabilities(weight, targets: targets).sum() }.gradients
    }
    for (a, b) in zip(gradients(weight), gradients(weight.cast(.float32))) { expectClose(a, b, tolerance: 1e-4) }
  }

  @Test("a module keeps the types it is given, and does not train them")
  mutating func module() throws {
    let layer = Linear(64, 8, random: &random)
    let weight = random.normal([8, 64]).cast(.q8_0)
    let borrowed = random.normal([8])
    let state = [
      "weight": weight,
      "bias": Tensor(borrowing: borrowed.pointer, shape: [8], dtype: .float32, from: borrowed.storage),
    ]
    try layer.load(state, keepingTypes: true)
    #expect(layer.weight.dtype == .q8_0 && layer.weight.pointer == weight.pointer)
    #expect(layer.trainableParameters().map(\.name) == ["bias"])
    #expect(layer.parameterCount == 8 * 64 + 8)
    let x = random.normal([3, 64])
    let optimizer = SGD(learningRate: { _ in 0.1 })
    let before = borrowed.array(of: Float.self)
    let (_, gradients) = valueAndGradient(of: layer) { $0(x).square().sum() }
    optimizer.update(layer, with: gradients)
    #expect(layer.bias!.array(of: Float.self) != before && borrowed.array(of: Float.self) == before)
    try layer.load(state)
    #expect(layer.weight.dtype == .float32 && layer.trainableParameters().count == 2)
    let table = Embedding(8, 64, random: &random)
    for type in [DType.q8_0, .bfloat16, .float32] {
      try table.load(["weight": weight.cast(type)], keepingTypes: true)
      let rows = table(Tensor([Int32(3), 1], [1, 2]))
      #expect(rows.dtype == .float32 && rows.shape == [1, 2, 64])
      expectEqual(rows[0][0], table.weight.cast(.float32)[3])
    }
  }

  @Test("what a block type cannot do stops the program with a message")
  func misuse() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 48]).cast(.q8_0) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 256]).cast(.q3_K) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 64]).cast(.q8_0).transposed() }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 64]).cast(.q8_0).reshaped([128])[8..<40].copy() }
  }
}
