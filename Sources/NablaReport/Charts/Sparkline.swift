/// A line of block characters that plots a series in a terminal: `▇▅▄▃▂▂▁▁`.
///
/// Heights go from the lowest mean to the highest. Values that are not finite count as missing; where nothing but
/// missing values falls into a column, the column is blank.
///
/// - Parameters:
///   - values: At even distances.
///   - width: The most columns; each shows the mean of its share of the values.
public func sparkline(_ values: [Double], width: Int) -> String {
  let columns = max(0, min(width, values.count))
  let means = (0..<columns).map { column -> Double in
    let share = values[column * values.count / columns..<(column + 1) * values.count / columns].filter(\.isFinite)
    // Dividing before adding cannot overflow.
    return share.isEmpty ? .nan : share.reduce(0) { $0 + $1 / Double(share.count) }
  }
  let finite = means.filter(\.isFinite)
  guard let lowest = finite.min(), let highest = finite.max() else { return String(repeating: " ", count: columns) }
  let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
  // Halved so that the range of the largest doubles is finite.
  let range = highest / 2 - lowest / 2
  return String(
    means.map { mean in
      guard mean.isFinite else { return " " }
      guard range > 0 else { return blocks[3] }
      return blocks[min(7, Int((mean / 2 - lowest / 2) / range * 8))]
    })
}
