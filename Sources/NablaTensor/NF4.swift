import CNablaKernels

/// NF4, the 4-bit type of QLoRA (Dettmers et al. 2023): each weight is one of the 16 quantiles of a normal
/// distribution, times the largest magnitude of its block of 64; those scales are themselves stored in 8 bits, in
/// groups of 256.
///
/// Such a tensor is frozen, like all block-quantized ones: gradients flow through a linear layer to its input, not
/// to the weight. The bytes are those of bitsandbytes.
package enum NF4 {
  static let block = Int(NABLA_NF4_BLOCK)
  static let group = Int(NABLA_NF4_GROUP)
  static let scaleBitsPerElement = 8.0 / Double(block) + 32.0 / Double(block * group)

  /// The scales of a tensor's blocks: that of block b is map[codes[b]] · groups[b / 256] + offset.
  package struct Scales: Sendable {
    /// [blocks] uint8 and [⌈blocks / 256⌉] float32.
    package let codes, groups: Tensor
    /// The mean scale.
    package let offset: Float
    /// The index of the storage's first block among them.
    var first = 0
  }

  /// The "dynamic" 8-bit type of Dettmers (2016): seven powers of ten, in which the values in [0.1, 1] become denser
  /// with size: ±10^(i-6) · (the middles of 2ⁱ equal parts), and 0 and 1. Ascending.
  package static let dynamicMap: Tensor = {
    var values: [Float] = [0, 1]
    for (i, power) in [Float(1e-6), 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].enumerated() {
      let parts = 1 << i
      let width = 0.9 / Float(parts)
      // From the nearer end, like torch.linspace.
      let edges = (0...parts).map { 2 * $0 <= parts ? 0.1 + width * Float($0) : 1 - width * Float(parts - $0) }
      for part in 0..<parts {
        let middle = (edges[part] + edges[part + 1]) / 2 * power
        values += [middle, -middle]
      }
    }
    return Tensor(values.sorted())
  }()

  /// The index of the nearest value of the map; ties go to the lower.
  static func nearestCode(_ x: Float) -> UInt8 {
    let map = dynamicMap.floats
    var (low, high) = (0, 255)
    while low < high {
      let middle = (low + high + 1) / 2
      if map[middle] <= x { low = middle } else { high = middle - 1 }
    }
    return UInt8(low < 255 && abs(x - map[low + 1]) < abs(x - map[low]) ? low + 1 : low)
  }

  /// Scales in 8 bits: the difference from their mean, in groups scaled by the largest difference.
  static func quantize(_ scales: [Float]) -> Scales {
    let offset = Float(scales.reduce(0) { $0 + Double($1) } / Double(max(scales.count, 1)))
    var codes: [UInt8] = []
    var groups: [Float] = []
    for start in stride(from: 0, to: scales.count, by: group) {
      let distances = scales[start..<min(start + group, scales.count)].map { $0 - offset }
      let largest = distances.reduce(0) { max($0, abs($1)) }
      groups.append(largest)
      codes += distances.map { nearestCode(largest > 0 ? $0 / largest : 0) }
    }
    return Scales(codes: Tensor(codes), groups: Tensor(groups), offset: offset)
  }
}

extension Tensor {
  /// A float32 tensor whose rows are whole blocks.
  func quantizedToNF4() -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: .nf4)
    let blocks = count / NF4.block
    let scales = Tensor(uninitialized: [blocks])
    parallelFor(blocks, grain: 64) { part in
      let i = part.lowerBound
      nabla_quantize_nf4(
        Int64(part.count), floats + i * NF4.block, (y.pointer + i * NF4.block / 2).assumingMemoryBound(to: UInt8.self),
        scales.floats + i)
    }
    y.storage.nf4Scales = NF4.quantize(scales.array())
    return y
  }

  /// y = the dequantized values of `blocks` blocks of this NF4 tensor, from element `start` on.
  func dequantizeNF4(blocks: Int, from start: Int, _ y: UnsafeMutablePointer<Float>) {
    withNF4Scales {
      nabla_dequantize_nf4(
        $0, Int64(start / NF4.block), Int64(blocks),
        (pointer + start / 2).assumingMemoryBound(to: UInt8.self), y)
    }
  }

  /// Attaches the scales to a copy of this tensor's codes.
  func copyNF4Scales(to copy: Tensor) {
    copy.storage.nf4Scales = storage.nf4Scales
    copy.storage.nf4Scales?.first += offset / NF4.block
  }

  /// The scales of an NF4 tensor as kernels read them, beginning with that of its first block.
  func withNF4Scales(_ body: (UnsafePointer<nabla_nf4_scales>) -> Void) {
    guard let scales = storage.nf4Scales else { preconditionFailure("an nf4 tensor of shape \(shape) without scales") }
    withExtendedLifetime(scales) {
      var view = nabla_nf4_scales(
        codes: scales.codes.pointer.assumingMemoryBound(to: UInt8.self), groups: scales.groups.floats,
        map: NF4.dynamicMap.floats, offset: scales.offset, first: Int64(scales.first + offset / NF4.block))
      body(&view)
    }
  }
}
