/// Which positions of a packed batch belong together: a row [T] holds several examples one after the other, and
/// attention and position encodings must treat each as if it were alone (Krell et al. 2021, "Efficient Sequence Packing
/// without Cross-contamination").
///
/// ```swift
/// let segments = Segments(lengths: [[3, 5], [7]], time: 8)   // the last position of the second row is padding
/// model.loss(tokens, targets: targets, segments: segments)
/// ```
///
/// Examples that begin alike may share their beginning: a ``Segments/Fork`` is a prefix and its branches, one after the
/// other, each of which sees the prefix and itself. The prefix is then computed once.
public struct Segments: Sendable {
  /// A prefix and what follows it: ``branches`` are the lengths of the continuations, which do not see each other.
  public struct Fork: Sendable {
    public var prefix: Int
    public var branches: [Int]

    public init(prefix: Int, branches: [Int]) { (self.prefix, self.branches) = (prefix, branches) }
  }

  /// int32 [B, T]: the first position of each position's segment, and the position after its last.
  let starts, ends: Tensor
  /// int32 [B, T]: the part of its segment that a position does not see, other branches; nil where nothing branches.
  let gapStarts, gapEnds: Tensor?
  /// int32 [B, T]: the offset of each position from the start of its segment, without what it does not see.
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
    self.init(forks: lengths.map { $0.map { Fork(prefix: 0, branches: [$0]) } }, time: time)
  }

  /// - Parameters:
  ///   - forks: of each row, in order. Only causal attention without a window can branch.
  ///   - time: T, the positions of a row.
  public init(forks rows: [[Fork]], time: Int) {
    var (starts, ends, positions): ([Int32], [Int32], [Int32]) = ([], [], [])
    var (gapStarts, gapEnds): ([Int32], [Int32]) = ([], [])
    var forksAnywhere = false
    for (row, forks) in rows.enumerated() {
      let used = forks.reduce(0) { $0 + $1.prefix + $1.branches.reduce(0, +) }
      precondition(
        used <= time
          && forks.allSatisfy { $0.prefix >= 0 && $0.branches.allSatisfy { $0 >= 0 } && $0.branches != [0] },
        "segments: forks \(forks) in row \(row) of \(time) positions")
      var start = 0
      let padding = Array(repeating: Fork(prefix: 0, branches: [1]), count: time - used)
      for fork in forks + padding {
        let length = fork.prefix + fork.branches.reduce(0, +)
        starts += Array(repeating: Int32(start), count: length)
        ends += Array(repeating: Int32(start + length), count: length)
        positions += (0..<fork.prefix).map(Int32.init)
        let prefixEnd = Int32(start + fork.prefix)
        gapStarts += Array(repeating: prefixEnd, count: length)
        gapEnds += Array(repeating: prefixEnd, count: fork.prefix)
        var branch = prefixEnd
        for width in fork.branches {
          positions += (0..<width).map { Int32(fork.prefix + $0) }
          gapEnds += Array(repeating: branch, count: width)
          branch += Int32(width)
        }
        forksAnywhere = forksAnywhere || fork.branches.count > 1
        start += length
      }
    }
    let shape: Shape = [rows.count, time]
    (self.starts, self.ends) = (Tensor(starts, shape), Tensor(ends, shape))
    self.positions = Tensor(positions, shape)
    self.gapStarts = forksAnywhere ? Tensor(gapStarts, shape) : nil
    self.gapEnds = forksAnywhere ? Tensor(gapEnds, shape) : nil
  }
}
