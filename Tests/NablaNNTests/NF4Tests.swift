import NablaNN
import NablaTensor
import Testing

/// The 4-bit type of QLoRA, against bitsandbytes (Tests/Fixtures/generate/nf4.py).
@Suite struct NF4Tests {
  @Test("the same bytes as bitsandbytes") func packing() throws {
    let fixture = try Fixture("nf4")
    let quantized = try fixture["weight"].cast(.nf4)
    let scales = try #require(quantized.storage.nf4Scales)
    let packed = UnsafeBufferPointer(
      start: quantized.pointer.assumingMemoryBound(to: UInt8.self), count: quantized.count / 2)
    #expect(Array(packed) == (try fixture["packed"].array(of: UInt8.self)))
    expectClose(scales.groups, try fixture["groups"], tolerance: 1e-7)
    #expect(abs(scales.offset - (try fixture["offset"].item())) < 1e-8)
    expectClose(NF4.dynamicMap, try fixture["map"], tolerance: 1e-7)
    // On the CPU bitsandbytes does not always find the nearest of two codes near 0; where ours is another, it is nearer.
    let (ours, theirs) = (scales.codes.array(of: UInt8.self), try fixture["codes"].array(of: UInt8.self))
    let largest = try fixture["weight"].reshaped([288, 64]).abs().max(axis: 1).array(of: Float.self)
    let (map, groups) = (NF4.dynamicMap.array(of: Float.self), scales.groups.array(of: Float.self))
    let different = ours.indices.filter { ours[$0] != theirs[$0] }
    for block in different {
      let x = (largest[block] - scales.offset) / groups[block / 256]
      #expect(abs(x - map[Int(ours[block])]) < abs(x - map[Int(theirs[block])]))
    }
    #expect(ours.count == 288 && different.count <= 1)
    let (a, b) = (quantized.cast(.float32).reshaped([288, 64]), try fixture["dequantized"].reshaped([288, 64]))
    for block in 0..<288 where !different.contains(block) {
      expectClose(a[block..<block + 1], b[block..<block + 1], tolerance: 1e-7)
    }
    #expect(abs(DType.nf4.bitsPerElement - 4.127) < 0.001)
  }

  @Test("the error on standard normal numbers is that of the paper") func error() {
    var random = RandomSource(seed: 1)
    let x = random.normal([256, 1024])
    let error = (x.cast(.nf4).cast(.float32) - x).abs().mean().item()
    #expect(abs(error - 0.0728) < 0.001, "\(error)")
  }

  @Test("parts, copies and rows keep their scales") func parts() {
    var random = RandomSource(seed: 2)
    let x = random.normal([40, 192])
    let quantized = x.cast(.nf4)
    let whole = quantized.cast(.float32)
    expectEqual(quantized[7..<23].cast(.float32), whole[7..<23])
    expectEqual(quantized[7..<23].copy().cast(.float32), whole[7..<23])
    expectEqual(quantized[7..<23][4..<5].copy().cast(.float32), whole[11..<12])
    expectEqual(quantized.gather(Tensor([Int32(39), 0, 12])), whole.gather(Tensor([Int32(39), 0, 12])))
  }

  /// Few rows of x are multiplied a row of the weight at a time, many in tiles.
  @Test("products are those of the dequantized weight, and so are gradients", arguments: [1, 5, 8, 9, 40])
  func linear(_ rows: Int) {
    var random = RandomSource(seed: 3)
    let (weight, bias) = (random.normal([70, 192], standardDeviation: 0.1).cast(.nf4), random.normal([70]))
    let (x, upstream) = (random.normal([rows, 192]), random.normal([rows, 70]))
    let dense = weight.cast(.float32)
    func run(_ w: Tensor) -> (value: Tensor, gradients: [Tensor]) {
      valueAndGradient(at: [x, bias]) { ($0[0].linear(w, bias: $0[1]) * upstream).sum() }
    }
    expectClose(x.linear(weight, bias: bias), x.linear(dense, bias: bias), tolerance: 2e-6)
    for (a, b) in zip(run(weight).gradients, run(dense).gradients) { expectClose(a, b, tolerance: 2e-6) }
    // A part of the weight begins with a block of its own.
    expectClose(x.linear(weight[33..<70]), x.linear(dense[33..<70]), tolerance: 2e-6)
    let rounded = x.cast(.bfloat16)
    expectClose(
      rounded.linear(weight, output: .float32), rounded.cast(.float32).linear(dense), tolerance: Tolerance.bfloat16)
  }

  @Test("NaN and infinity do not stop the program") func wild() {
    var values = [Float](repeating: 0.5, count: 128)
    (values[3], values[70]) = (.nan, .infinity)
    _ = Tensor(values, [2, 64]).cast(.nf4).cast(.float32)
  }

  @Test("a layer with an NF4 weight is constant but lets gradients through") func layer() {
    var random = RandomSource(seed: 5)
    let layer = Linear(128, 32, random: &random)
    layer.weight = layer.weight.cast(.nf4)
    #expect(layer.trainableParameters().map(\.name) == ["bias"])
    let x = random.normal([3, 128])
    let (_, gradients) = valueAndGradient(at: [x]) { layer($0[0]).sum() }
    let expected = Tensor.ones([3, 32]).matmul(layer.weight.cast(.float32))
    expectClose(gradients[0], expected, tolerance: 2e-6)
  }
}
