/// Four numbers at a time, which the compiler maps to vector instructions of any CPU.
package typealias Vector = SIMD4<Double>

/// eˣ of four numbers in -700...700, within two units of the last place.
///
/// x = k ln 2 + r with |r| ≤ ½ ln 2; eʳ is its Taylor series to the twelfth power, and k goes into the exponent's bits.
/// Every operation is an IEEE one without a fused multiply-add: the bits are the same on every CPU.
@inline(__always)
package func exponential(_ x: Vector) -> Vector {
  let magic = Vector(repeating: 0x1.8p52)  // adding it rounds to an integer, which the low bits then hold
  let shifted = x * 1.442695040888963407 + magic
  let k = shifted - magic
  let r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10
  var sum = Vector(repeating: 1 / 479_001_600)
  sum = sum * r + 1 / 39_916_800
  sum = sum * r + 1 / 3_628_800
  sum = sum * r + 1 / 362_880
  sum = sum * r + 1 / 40_320
  sum = sum * r + 1 / 5_040
  sum = sum * r + 1 / 720
  sum = sum * r + 1 / 120
  sum = sum * r + 1 / 24
  sum = sum * r + 1 / 6
  sum = sum * r + 0.5
  sum = sum * r + 1
  sum = sum * r + 1
  let bits = unsafeBitCast(sum, to: SIMD4<UInt64>.self) &+ (unsafeBitCast(shifted, to: SIMD4<UInt64>.self) &<< 52)
  return unsafeBitCast(bits, to: Vector.self)
}

/// ln x of four positive normal numbers, within three units of the last place.
///
/// x = 2^k m with m in √½..<√2; ln m = 2 artanh((m - 1) / (m + 1)) by its series.
@inline(__always)
package func logarithm(_ x: Vector) -> Vector {
  let offset = SIMD4<UInt64>(repeating: 1023 << 52)
  let bits = unsafeBitCast(x, to: SIMD4<UInt64>.self)
  let exponent = (bits &- 0x3fe6_a09e_667f_3bcd &+ offset) &>> 52
  let m = unsafeBitCast(bits &- (exponent &<< 52) &+ offset, to: Vector.self)
  // 2⁵² plus the biased exponent, written as bits, less both.
  let k = unsafeBitCast(exponent | 0x4330_0000_0000_0000, to: Vector.self) - (0x1p52 + 1023)
  let s = (m - 1) / (m + 1)
  let z = s * s
  var sum = Vector(repeating: 1 / 21)
  sum = sum * z + 1 / 19
  sum = sum * z + 1 / 17
  sum = sum * z + 1 / 15
  sum = sum * z + 1 / 13
  sum = sum * z + 1 / 11
  sum = sum * z + 1 / 9
  sum = sum * z + 1 / 7
  sum = sum * z + 1 / 5
  sum = sum * z + 1 / 3
  return k * 0.693147180369123816490 + (s + s + (s + s) * z * sum + k * 1.90821492927058770002e-10)
}
