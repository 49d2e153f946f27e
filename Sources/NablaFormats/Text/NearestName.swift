/// The known name nearest to a misspelled one by edit distance. `known` is not empty.
package func nearestName(to name: String, among known: [String]) -> String {
  let name = name.lowercased()
  return known.min { editDistance($0.lowercased(), name) < editDistance($1.lowercased(), name) }!
}

/// The Levenshtein distance between two words.
package func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var row = Array(0...b.count)
  for i in 0..<a.count {
    var diagonal = row[0]
    row[0] = i + 1
    for j in 0..<b.count {
      let next = min(diagonal + (a[i] == b[j] ? 0 : 1), row[j] + 1, row[j + 1] + 1)
      diagonal = row[j + 1]
      row[j + 1] = next
    }
  }
  return row[b.count]
}
