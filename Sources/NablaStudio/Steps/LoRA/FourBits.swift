import NablaLanguage
import NablaNN
import NablaTensor

extension LoRAStep {
  enum Weights: String, CaseIterable { case small, model }

  struct MatrixList: Encodable {
    var model: String
    var names: [String]
  }

  /// The matrices that can be quantized: of the small model that is trained here, or of the one to look into.
  static let matrices = Computation.answer("matrices") { query, studio in
    switch try query.choice("weights", default: Weights.small) {
    case .small:
      let small = try SmallModel.trained(seed: try query.seed())
      return MatrixList(model: "the small model trained here", names: SmallModel.layers(of: small.model()).map(\.path))
    case .model:
      return try studio.model.use {
        MatrixList(model: $0.facts.name, names: SmallModel.layers(of: $0.model).map(\.path))
      }
    }
  }

  /// A matrix in blocks of 64, each number over the largest magnitude of its block, and what 4 bits make of it.
  struct Quantized: Encodable {
    struct Kind: Encodable {
      var name: String
      var bits: Double
      /// ‖W - Ŵ‖/‖W‖.
      var error: Double
      var bytes: Double
    }

    /// How many numbers fall in each of 80 bins of [-1, 1].
    var histogram: [Int]
    /// The 16 numbers that NF4 can say, and how many weights say each.
    var levels: [Double]
    var used: [Int]
    var kinds: [Kind]
    var shape: [Int]
    /// How the matrix came.
    var stored: String
    /// Bytes of a model of 65 billion parameters in 16 bits and in NF4.
    var large16, large4: Double
  }

  static let quantize = Computation.answer("quantize") { query, studio in
    let index = try query.integer("m4", in: 0...999, default: 4)
    switch try query.choice("weights", default: Weights.small) {
    case .small:
      let layers = SmallModel.layers(of: try SmallModel.trained(seed: try query.seed()).model())
      return try quantized(layers[index % layers.count].layer.weight)
    case .model:
      return try studio.model.use { loaded in
        let layers = SmallModel.layers(of: loaded.model)
        return try quantized(layers[index % layers.count].layer.weight)
      }
    }
  }

  /// What NF4 represents: read off the library, from blocks whose largest magnitude is 1.
  static let levels: [Float] = {
    let ramp = (0..<4096).map { i -> Float in i % 64 == 0 ? 1 : Float(i) / 2048 - 1 }
    let values = Tensor(ramp, [64, 64]).cast(.nf4).cast(.float32).array()
    return Set(values).sorted()
  }()

  static func quantized(_ weight: Tensor) throws -> Quantized {
    guard weight.shape[1] % DType.nf4.blockSize == 0 else {
      throw StudioError(
        "rows of \(weight.shape[1]) numbers are no whole blocks of \(DType.nf4.blockSize): choose another matrix")
    }
    let w = weight.stopGradient().cast(.float32)
    let block = DType.nf4.blockSize
    let numbers = w.array()
    guard numbers.allSatisfy(\.isFinite) else {
      throw StudioError("the matrix has weights that are not finite: choose another matrix")
    }
    var (histogram, used) = ([Int](repeating: 0, count: 80), [Int](repeating: 0, count: levels.count))
    // 16 levels at even distances in the same blocks: what the levels alone are worth.
    let even = (0..<16).map { Float($0) * 2 / 15 - 1 }
    var evenSquares = 0.0
    for start in stride(from: 0, to: numbers.count, by: block) {
      let largest = numbers[start..<start + block].reduce(0) { max($0, abs($1)) }
      for x in numbers[start..<start + block] where largest > 0 {
        let share = x / largest
        histogram[min(79, max(0, Int((share + 1) * 40)))] += 1
        let step = (share + 1) * 7.5
        let miss = Double(largest * (even[min(15, max(0, Int(step.rounded())))] - share))
        evenSquares += miss * miss
        used[levels.indices.min { abs(levels[$0] - share) < abs(levels[$1] - share) }!] += 1
      }
    }
    let norm = w.square().sum().squareRoot().item()
    var kinds = [DType.nf4, .q4_0, .q8_0].map { type in
      Quantized.Kind(
        name: "\(type)", bits: type.bitsPerElement,
        error: Double((w.cast(type).cast(.float32) - w).square().sum().squareRoot().item() / norm),
        bytes: type.bitsPerElement / 8 * Double(numbers.count))
    }
    let evenError = evenSquares.squareRoot() / Double(norm)
    kinds.insert(.init(name: "even", bits: kinds[0].bits, error: evenError, bytes: kinds[0].bytes), at: 1)
    return Quantized(
      histogram: histogram, levels: levels.map(Double.init), used: used, kinds: kinds, shape: Array(weight.shape),
      stored: "\(weight.dtype)", large16: 65e9 * 2, large4: 65e9 * DType.nf4.bitsPerElement / 8)
  }
}
