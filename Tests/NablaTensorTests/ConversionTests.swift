import NablaTensor
import Testing

@Suite("Conversions between types")
struct ConversionTests {
  /// Memory lent to a closure: a part of a tensor, made for the call alone, errors passed on.
  @Test("lent memory") func lentMemory() {
    let x = Tensor.arange(6).reshaped([3, 2])
    #expect(x[1..<3].withFloats { Array($0) } == [2, 3, 4, 5])
    #expect((x + x)[2].withFloats { $0.reduce(0, +) } == 18)
    #expect(Tensor([Int32(4), 5]).withIntegers { $0.max() } == 5)
    #expect(Tensor.zeros([0]).withFloats { $0.isEmpty })
    let squares = Tensor([2, 2]) { elements in
      for i in elements.indices { elements[i] = Float(i * i) }
    }
    #expect(squares.shape == [2, 2] && squares.array() == [0, 1, 4, 9])
    struct Stop: Error {}
    #expect(throws: Stop.self) { try x.withFloats { _ throws(Stop) in throw Stop() } }
  }

  private func tensor(ofBits bits: [UInt16], _ type: DType) -> Tensor {
    let x = Tensor(uninitialized: [bits.count], dtype: type)
    for (i, pattern) in bits.enumerated() { x.halves[i] = pattern }
    return x
  }
  private func bits(_ x: Tensor) -> [UInt16] { Array(UnsafeBufferPointer(start: x.halves, count: x.count)) }

  @Test("every float16 becomes the float32 of the same value, and comes back")
  func everyFloat16() {
    let patterns = (0...UInt16.max).map { $0 }
    let wide = tensor(ofBits: patterns, .float16).cast(.float32).array(of: Float.self)
    let back = bits(Tensor(wide).cast(.float16))
    for pattern in patterns {
      let expected = Float(Float16(bitPattern: pattern))
      let actual = wide[Int(pattern)]
      if expected.isNaN {
        guard actual.isNaN, Float16(bitPattern: back[Int(pattern)]).isNaN else {
          Issue.record("float16 \(pattern) is NaN, not \(actual)")
          return
        }
      } else if actual.bitPattern != expected.bitPattern || back[Int(pattern)] != pattern {
        Issue.record("float16 \(pattern) is \(expected), not \(actual); back: \(back[Int(pattern)])")
        return
      }
    }
  }

  /// Around each float16: the number, the midpoint to the next one, and a little to either side of both.
  @Test("float32 to float16 rounds to nearest, ties to even")
  func toFloat16() {
    var values: [Float] = []
    for pattern in 0...UInt16(0x7c00) {
      let (low, high) = (Float(Float16(bitPattern: pattern)), Float(Float16(bitPattern: min(pattern + 1, 0x7c00))))
      let middle = high.isFinite ? (low + high) / 2 : (low.isFinite ? 65520 : low)
      for v in [low, low.nextUp, middle.nextDown, middle, middle.nextUp] { values += [v, -v] }
    }
    values += [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e-8, 65504, 65519.996]
    let actual = bits(Tensor(values).cast(.float16))
    for (value, pattern) in zip(values, actual) where !value.isNaN && Float16(value).bitPattern != pattern {
      Issue.record("\(value) became float16 \(pattern), not \(Float16(value).bitPattern)")
      return
    }
    #expect(Float16(bitPattern: bits(Tensor([Float.nan]).cast(.float16))[0]).isNaN)
  }

  @Test("every bfloat16 is the upper half of a float32, and comes back")
  func everyBfloat16() {
    let patterns = (0...UInt16.max).map { $0 }
    let wide = tensor(ofBits: patterns, .bfloat16).cast(.float32)
    let values = wide.array(of: Float.self)
    let back = bits(wide.cast(.bfloat16))
    for pattern in patterns {
      let value = Float(bitPattern: UInt32(pattern) << 16)
      if value.isNaN {
        #expect(values[Int(pattern)].isNaN && back[Int(pattern)] & 0x7f80 == 0x7f80 && back[Int(pattern)] & 0x7f != 0)
      } else if values[Int(pattern)].bitPattern != value.bitPattern || back[Int(pattern)] != pattern {
        Issue.record("bfloat16 \(pattern)")
        return
      }
    }
  }

  @Test("float32 to bfloat16 rounds to nearest, ties to even")
  func toBfloat16() {
    var values: [Float] = []
    for upper in stride(from: UInt32(0), through: 0xffff, by: 7) {
      for lower: UInt32 in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
        values.append(Float(bitPattern: upper << 16 | lower))
      }
    }
    let actual = bits(Tensor(values).cast(.bfloat16))
    for (value, pattern) in zip(values, actual) where !value.isNaN {
      // The nearer of the two neighbours, by exact arithmetic; a tie goes to the even one.
      let low = UInt16(value.bitPattern >> 16)
      let rest = value.bitPattern & 0xffff
      let expected = rest > 0x8000 || (rest == 0x8000 && low & 1 == 1) ? low + 1 : low
      #expect(pattern == expected, "\(value)")
    }
    let special = bits(Tensor([Float.infinity, -.infinity, .greatestFiniteMagnitude, -0.0]).cast(.bfloat16))
    #expect(special == [0x7f80, 0xff80, 0x7f80, 0x8000])
    // A NaN whose payload lies in the low half must not become infinity.
    #expect(bits(Tensor([Float(bitPattern: 0x7f80_0001)]).cast(.bfloat16))[0] & 0x7f != 0)
  }

  @Test("integers saturate, and NaN is 0")
  func integers() {
    let x = Tensor([Float(1.9), -1.9, 300, -5, 3e9, -3e9, .nan, .infinity, -.infinity, 255])
    #expect(
      x.cast(.int32).array(of: Int32.self) == [1, -1, 300, -5, 2_147_483_520, .min, 0, 2_147_483_520, .min, 255]
        as [Int32])
    #expect(x.cast(.uint8).array(of: UInt8.self) == [1, 0, 255, 0, 255, 0, 0, 255, 0, 255] as [UInt8])
  }

  @Test("every pair of types", arguments: DType.elementTypes, DType.elementTypes)
  func pairs(_ from: DType, _ to: DType) {
    let x = Tensor((0..<20_000).map { Float($0 % 128) }, [20_000]).cast(from)
    let y = x.cast(to)
    #expect(y.dtype == to && y.array(of: Float.self) == x.array(of: Float.self))
    #expect(x.array(of: Float.self)[127] == 127)
  }

  @Test("whole numbers beyond float32's pass between int32 and float64 unchanged")
  func wholeNumbers() {
    let numbers: [Int32] = [16_777_217, -16_777_219, .max, .min, 0]
    #expect(Tensor(numbers).array(of: Double.self) == numbers.map(Double.init))
    #expect(Tensor(numbers.map(Double.init)).cast(.int32).array(of: Int32.self) == numbers)
    #expect(Tensor([1e300, -1e300, .nan, 1.9] as [Double]).cast(.int32).array(of: Int32.self) == [.max, .min, 0, 1])
  }

  @Test("float64 keeps its digits in storage")
  func float64() {
    let x = Tensor([0.1, 1e300, -1e-300])
    #expect(x.dtype == .float64 && x.array(of: Double.self) == [0.1, 1e300, -1e-300] as [Double])
    #expect(x.cast(.float32).array() == [0.1, .infinity, 0] as [Float])
  }

  @Test("the gradient of a cast is cast back")
  func gradient() {
    let x = Tensor.numbers([5])
    let (_, gradients) = valueAndGradient(at: [x]) { ($0[0].cast(.bfloat16).cast(.float32) * 3).sum() }
    #expect(gradients[0].dtype == .float32 && gradients[0].array() == [3, 3, 3, 3, 3] as [Float])
  }
}
