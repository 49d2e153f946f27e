import CNablaKernels

/// Elements that a thread takes at once: enough to outweigh the cost of distributing work.
package let elementGrain = 16384

extension Tensor {
  /// The same values in another type. To a smaller float type: rounded to nearest even, from float64 to a 16-bit type by
  /// way of float32. To an integer: rounded toward zero, and to the nearest that there is. To a block-quantized type: see
  /// `DType.isQuantizationTarget`. The gradient is converted back.
  public func cast(_ target: DType) -> Tensor {
    if target == dtype { return self }
    return converted(to: target).recorded(self) { gradient, inputs in inputs[0]?.accumulate(gradient) }
  }

  /// The same elements in memory of their own.
  package func copy() -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: dtype)
    parallelFor(dtype.byteCount(of: count), grain: 4 * elementGrain) { part in
      (y.pointer + part.lowerBound).copyMemory(from: pointer + part.lowerBound, byteCount: part.count)
    }
    if dtype == .nf4 { copyNF4Scales(to: y) }
    return y
  }

  private func converted(to target: DType) -> Tensor {
    // Every conversion is to or from float32 or passes through it, but for those of whole numbers that it cannot hold.
    if dtype.isQuantized { return dequantized(to: target) }
    if target.isQuantized { return cast(.float32).quantized(to: target) }
    let isDirect = [dtype, target] == [.int32, .float64] || [dtype, target] == [.float64, .int32]
    guard dtype == .float32 || target == .float32 || isDirect else {
      return converted(to: .float32).converted(to: target)
    }
    let y = Tensor(uninitialized: shape, dtype: target)
    parallelFor(count, grain: elementGrain) { part in
      let n = Int64(part.count)
      let from = pointer + part.lowerBound * dtype.size
      let to = y.pointer + part.lowerBound * target.size
      let float = (from: from.assumingMemoryBound(to: Float.self), to: to.assumingMemoryBound(to: Float.self))
      switch (dtype, target) {
      case (.float32, .bfloat16): nabla_float_to_bfloat16(n, float.from, to.assumingMemoryBound(to: UInt16.self))
      case (.bfloat16, .float32): nabla_bfloat16_to_float(n, from.assumingMemoryBound(to: UInt16.self), float.to)
      case (.float32, .float16): nabla_float_to_float16(n, float.from, to.assumingMemoryBound(to: UInt16.self))
      case (.float16, .float32): nabla_float16_to_float(n, from.assumingMemoryBound(to: UInt16.self), float.to)
      case (.float32, .float64): nabla_float_to_double(n, float.from, to.assumingMemoryBound(to: Double.self))
      case (.float64, .float32): nabla_double_to_float(n, from.assumingMemoryBound(to: Double.self), float.to)
      case (.float32, .int32): nabla_float_to_int32(n, float.from, to.assumingMemoryBound(to: Int32.self))
      case (.int32, .float32): nabla_int32_to_float(n, from.assumingMemoryBound(to: Int32.self), float.to)
      case (.float64, .int32):
        nabla_double_to_int32(n, from.assumingMemoryBound(to: Double.self), to.assumingMemoryBound(to: Int32.self))
      case (.int32, .float64):
        nabla_int32_to_double(n, from.assumingMemoryBound(to: Int32.self), to.assumingMemoryBound(to: Double.self))
      case (.float32, .uint8): nabla_float_to_uint8(n, float.from, to.assumingMemoryBound(to: UInt8.self))
      case (.uint8, .float32): nabla_uint8_to_float(n, from.assumingMemoryBound(to: UInt8.self), float.to)
      default: preconditionFailure("no conversion from \(dtype) to \(target)")
      }
    }
    return y
  }
}
