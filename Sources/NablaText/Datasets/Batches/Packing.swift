/// Packs sequences into rows of a fixed length with little padding: best-fit decreasing (Johnson 1973), each
/// sequence from the longest to the shortest into the fullest row that still has room for it.
///
/// - Parameters:
///   - lengths: Tokens of each sequence, at most `rowLength`.
///   - order: Every index of `lengths` once; sequences of one length are taken in this order.
/// - Returns: For each row the indices of its sequences. Time is O(n · rowLength / 64) at worst.
package func packed(_ lengths: [Int], into rowLength: Int, order: [Int]) -> [[Int]] {
  var byLength = [[Int]](repeating: [], count: rowLength + 1)
  for index in order {
    precondition(
      lengths[index] <= rowLength, "packed: sequence \(index) has \(lengths[index]) tokens, but a row has \(rowLength)")
    byLength[lengths[index]].append(index)
  }
  var rows: [[Int]] = []
  // Rows by remaining room, and one bit per size of room for whether there is such a row.
  var open = [[Int]](repeating: [], count: rowLength + 1)
  var words = [UInt64](repeating: 0, count: rowLength / 64 + 1)

  func smallestRoom(atLeast length: Int) -> Int? {
    var word = length / 64
    var bits = words[word] & (UInt64.max << UInt64(length % 64))
    while bits == 0 {
      word += 1
      if word == words.count { return nil }
      bits = words[word]
    }
    return word * 64 + bits.trailingZeroBitCount
  }
  for length in stride(from: rowLength, through: 0, by: -1) {
    for index in byLength[length] {
      let row: Int
      var room = rowLength
      if let found = smallestRoom(atLeast: max(length, 1)) {
        room = found
        row = open[room].removeLast()
        if open[room].isEmpty { words[room / 64] &= ~(1 << UInt64(room % 64)) }
      } else {
        row = rows.count
        rows.append([])
      }
      rows[row].append(index)
      let left = room - length
      open[left].append(row)
      words[left / 64] |= 1 << UInt64(left % 64)
    }
  }
  return rows
}
