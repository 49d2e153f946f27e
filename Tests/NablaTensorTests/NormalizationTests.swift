import NablaTensor
import Testing

@Suite("Normalisation")
struct NormalizationTests {
  static let shapes: [Shape] = [[1], [7], [3, 5], [2, 3, 17], [0, 4], [3, 1], [50, 8], [129, 3]]

  static func norm(_ x: Reference, centered: Bool, epsilon: Double) -> Reference {
    x.alongAxis(-1) { line in
      let mean = centered ? line.reduce(0, +) / Double(line.count) : 0
      let variance = line.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(line.count)
      return line.map { ($0 - mean) / (variance + epsilon).squareRoot() }
    }
  }

  @Test("layer norm", arguments: shapes, 0...2)
  func layerNorm(_ shape: Shape, _ parameters: Int) {
    let n = shape.last!
    let inputs = [Tensor.numbers(shape, seed: 1, in: 0...3), .numbers([n], seed: 2), .numbers([n], seed: 3)]
    checkGradient(
      of: { $0[0].layerNorm(weight: parameters > 0 ? $0[1] : nil, bias: parameters > 1 ? $0[2] : nil, epsilon: 0.01) },
      inputs: Array(inputs[0...parameters]),
      reference: { x in
        var y = Self.norm(x[0], centered: true, epsilon: 0.01)
        if parameters > 0 { y = y * x[1] }
        if parameters > 1 { y = y + x[2] }
        return y
      })
  }

  @Test("a layer norm with a bias alone", arguments: [DType.float32, .bfloat16])
  func biasAlone(_ output: DType) {
    checkGradient(
      of: { $0[0].layerNorm(bias: $0[1], epsilon: 0.01, output: output) },
      inputs: [.numbers([3, 5], seed: 1, in: 0...3), .numbers([5], seed: 3)],
      reference: { Self.norm($0[0], centered: true, epsilon: 0.01) + $0[1] },
      tolerance: output == .float32 ? Tolerance.float32 : Tolerance.bfloat16)
  }

  @Test("RMS norm", arguments: shapes, [false, true])
  func rmsNorm(_ shape: Shape, _ weighted: Bool) {
    let inputs = [Tensor.numbers(shape, seed: 1, in: -1...3), .numbers([shape.last!], seed: 2)]
    checkGradient(
      of: { $0[0].rmsNorm(weight: weighted ? $0[1] : nil, epsilon: 0.01) }, inputs: weighted ? inputs : [inputs[0]],
      reference: { x in
        let y = Self.norm(x[0], centered: false, epsilon: 0.01)
        return weighted ? y * x[1] : y
      })
  }

  @Test(
    "group norm",
    arguments: [([2, 6], 3), ([2, 4, 5], 2), ([1, 6, 3, 2], 1), ([2, 3, 4], 3), ([0, 4, 3], 2)] as [(Shape, Int)])
  func groupNorm(_ shape: Shape, _ groups: Int) {
    let channels = shape[1]
    checkGradient(
      of: { $0[0].groupNorm(groups: groups, weight: $0[1], bias: $0[2], epsilon: 0.01) },
      inputs: [.numbers(shape, seed: 1, in: 0...2), .numbers([channels], seed: 2), .numbers([channels], seed: 3)],
      reference: { x in
        let members = shape.elementCount / max(shape[0] * groups, 1)
        let y = Self.norm(x[0].reshaped([shape[0] * groups, members]), centered: true, epsilon: 0.01)
          .reshaped(Array(shape))
        let ones = Array(repeating: 1, count: shape.count - 2)
        return y * x[1].reshaped([channels] + ones) + x[2].reshaped([channels] + ones)
      })
  }

  @Test("bfloat16 in and out")
  func bfloat16() {
    checkGradientInBfloat16(
      of: {
        $0[0].layerNorm(weight: $0[1].cast(.float32), bias: $0[2].cast(.float32), epsilon: 0.01, output: .bfloat16)
      },
      inputs: [.numbers([9, 65], seed: 1, in: 0...3), .numbers([65], seed: 2), .numbers([65], seed: 3)],
      reference: { Self.norm($0[0], centered: true, epsilon: 0.01) * $0[1] + $0[2] })
    checkGradientInBfloat16(
      of: { $0[0].rmsNorm(weight: $0[1].cast(.float32), epsilon: 0.01, output: .bfloat16) },
      inputs: [.numbers([9, 65], seed: 1, in: 0...3), .numbers([65], seed: 2)],
      reference: { Self.norm($0[0], centered: false, epsilon: 0.01) * $0[1] })
  }

  @Test("a far mean costs layer norm no precision")
  func farMean() {
    let x = Tensor.numbers([4, 300], in: 999...1001)
    expectClose(x.layerNorm(), NormalizationTests.norm(Reference(x), centered: true, epsilon: 1e-5), tolerance: 2e-4)
  }
}
