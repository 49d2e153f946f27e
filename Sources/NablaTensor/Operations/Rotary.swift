import Glibc
import CNablaKernels

/// Which dimensions of a head form a rotated pair in a rotary embedding.
public enum RotaryPairing: String, Sendable, Codable {
  /// (i, i + D/2): Llama, and all models in Hugging Face's layout.
  case half
  /// (2i, 2i + 1): the paper, GPT-J.
  case interleaved
}

/// Cosines and sines of a rotary position embedding (Su et al. 2021): at position p, pair i is rotated by the
/// angle p · frequencies[i], so that the dot product of a query and a key depends only on their distance.
public struct RotaryTable: Sendable {
  /// [positions, pairs] float32.
  let cosine: Tensor
  let sine: Tensor
  public let pairing: RotaryPairing
  public var positions: Int { cosine.shape[0] }
  /// How many dimensions of each head are rotated.
  public var rotatedSize: Int { 2 * cosine.shape[1] }

  /// - Parameters:
  ///   - frequencies: radians per position of each pair.
  ///   - positions: rows of the table: 0 ..< `positions`.
  ///   - pairing: which numbers of a head are rotated together.
  ///   - scale: factor on cosines and sines (YaRN's attention factor).
  public init(frequencies: [Double], positions: Int, pairing: RotaryPairing = .half, scale: Double = 1) {
    let angles = (0..<positions).flatMap { p in frequencies.map { Double(p) * $0 } }
    cosine = Tensor(angles.map { Float(scale * cos($0)) }, [positions, frequencies.count])
    sine = Tensor(angles.map { Float(scale * sin($0)) }, [positions, frequencies.count])
    self.pairing = pairing
  }
}

extension Tensor {
  /// Rotates heads by their positions. self: [B, T, W], whose first `heads` · `headSize` columns are heads to rotate
  /// (queries and keys of a packed projection); the others pass through unchanged.
  ///
  /// - Parameters:
  ///   - table: has a row for each position.
  ///   - heads: the number of heads that are rotated.
  ///   - headSize: D.
  ///   - offset: the position of the first of the T rows.
  public func rotary(_ table: RotaryTable, heads: Int, headSize: Int, offset: Int = 0) -> Tensor {
    precondition(
      rank == 3 && shape[2] >= heads * headSize && table.rotatedSize <= headSize,
      "rotary: \(heads) heads of size \(headSize) in shape \(shape), \(table.rotatedSize) dimensions rotate")
    precondition(
      offset >= 0 && offset + shape[1] <= table.positions,
      "rotary: positions \(offset)..<\(offset + shape[1]) of \(table.positions)")
    let time = shape[1]
    let y = turned(table, heads: heads, headSize: headSize, direction: 1) { offset + $0 % time }
    return y.recorded(self) { dy, inputs in
      inputs[0]?.accumulate(
        dy.turned(table, heads: heads, headSize: headSize, direction: -1) { offset + $0 % time })
    }
  }

  /// The same where each of the B · T rows has its own position: int32 [B · T] or [B, T].
  public func rotary(_ table: RotaryTable, heads: Int, headSize: Int, positions: Tensor) -> Tensor {
    precondition(
      rank == 3 && positions.count == shape[0] * shape[1] && shape[2] >= heads * headSize
        && table.rotatedSize <= headSize,
      "rotary: \(heads) heads of size \(headSize) in shape \(shape), \(positions.count) positions")
    let numbers = positions.array(of: Int32.self)
    for position in numbers {
      precondition(position >= 0 && position < table.positions, "rotary: position \(position) of \(table.positions)")
    }
    let y = turned(table, heads: heads, headSize: headSize, direction: 1) { Int(numbers[$0]) }
    return y.recorded(self) { dy, inputs in
      inputs[0]?.accumulate(
        dy.turned(table, heads: heads, headSize: headSize, direction: -1) { Int(numbers[$0]) })
    }
  }

  private func turned(
    _ table: RotaryTable, heads: Int, headSize: Int, direction: Float, position: (_ row: Int) -> Int
  ) -> Tensor {
    let x = stopGradient().inComputeType
    let width = shape[2]
    let y = Tensor(uninitialized: shape, dtype: x.dtype)
    let pairs = table.rotatedSize / 2
    let size = x.dtype.size
    let interleaved: Int32 = table.pairing == .interleaved ? 1 : 0
    let rest = (width - heads * headSize) * size
    parallelFor(shape[0] * shape[1], grain: rowGrain(width)) { rows in
      for row in rows {
        let position = position(row)
        let (cosine, sine) = (table.cosine.floats + position * pairs, table.sine.floats + position * pairs)
        if x.dtype == .bfloat16 {
          nabla_rotary_bfloat16(
            Int64(heads), Int64(headSize), Int64(2 * pairs), interleaved, cosine, sine, direction,
            x.halves + row * width, y.halves + row * width)
        } else {
          nabla_rotary(
            Int64(heads), Int64(headSize), Int64(2 * pairs), interleaved, cosine, sine, direction,
            x.floats + row * width, y.floats + row * width)
        }
        let start = (row * width + heads * headSize) * size
        (y.pointer + start).copyMemory(from: x.pointer + start, byteCount: rest)
      }
    }
    return y
  }
}

extension RotaryTable {
  /// The cosines, [positions, pairs], for inspection.
  public var cosineTable: Tensor { cosine }
}
