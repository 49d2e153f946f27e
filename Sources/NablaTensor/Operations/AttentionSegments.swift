/// Which positions of a packed batch belong together: a row [T] holds several examples one after the other, and
/// attention and position encodings must treat each as if it were alone (Krell et al. 2021, "Efficient Sequence Packing
/// without Cross-contamination").
///
/// ```swift
/// let segments = Segments(lengths: [[3, 5], [7]], time: 8)   // the last position of the second row is padding
/// model.loss(tokens, targets: targets, segments: segments)
/// ```
public struct Segments: Sendable {
  /// int32 [B, T]: the first position of each position's segment, and the position after its last.
  let starts, ends: Tensor
  /// int32 [B, T]: the offset of each position from the start of its segment.
  public let positions: Tensor
  /// [B, T].
  public var shape: Shape { starts.shape }

  /// - Parameter ids: int32 [B, T]: adjacent positions with the same id are one segment.
  public init(ids: Tensor) {
    precondition(ids.rank == 2, "segments: ids of shape \(ids.shape), not [B, T]")
    let (values, time) = (ids.array(of: Int32.self), ids.shape[1])
    self.init(
      lengths: (0..<ids.shape[0]).map { row in
        let ids = values[row * time..<(row + 1) * time]
        var lengths: [Int] = []
        for i in ids.indices {
          if i > ids.startIndex && ids[i] == ids[i - 1] { lengths[lengths.count - 1] += 1 } else { lengths.append(1) }
        }
        return lengths
      }, time: time)
  }

  /// - Parameters:
  ///   - lengths: of the examples of each row, in order. Positions after the last are padding, each a segment by
  ///     itself.
  ///   - time: T, the positions of a row.
  public init(lengths: [[Int]], time: Int) {
    var (starts, ends, positions): ([Int32], [Int32], [Int32]) = ([], [], [])
    for (row, examples) in lengths.enumerated() {
      let used = examples.reduce(0, +)
      precondition(
        used <= time && examples.allSatisfy { $0 > 0 },
        "segments: lengths \(examples) in row \(row) of \(time) positions")
      var start = 0
      for length in examples + Array(repeating: 1, count: time - used) {
        starts += Array(repeating: Int32(start), count: length)
        ends += Array(repeating: Int32(start + length), count: length)
        positions += (0..<length).map(Int32.init)
        start += length
      }
    }
    let shape: Shape = [lengths.count, time]
    (self.starts, self.ends) = (Tensor(starts, shape), Tensor(ends, shape))
    self.positions = Tensor(positions, shape)
  }
}
